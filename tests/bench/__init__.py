"""How fast and how small is it, beside what the machine could do? `python -m tests.bench` measures; nothing here asserts a time."""
