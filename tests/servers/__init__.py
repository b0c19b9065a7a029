"""Which real servers can a test ask for? One file per server; each is a pytest fixture of the same name.

Ask for the fixture and the marker, the worker group and the start and stop come with it (see tests/conftest.py).
"""
