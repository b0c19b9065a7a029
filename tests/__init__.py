"""Does Tieout do what it says? Tests mirror the rooms; `servers/` starts the real software that `lab/` drives."""
