"""How does a database come to the tables this Tieout reads? Alembic's folder: one baseline until the first tagged release.

`metrics/store.py` creates an empty store straight from the tables, which is faster, and marks it with the baseline's
revision; a test proves that the baseline makes the very same database.
"""
