"""Which schema this Tieout reads: the revision of the baseline. Written by `make baseline`; never edited by hand."""

from __future__ import annotations

REVISION = "a8a424d4d9ec"
