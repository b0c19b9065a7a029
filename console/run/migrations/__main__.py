"""`make baseline`: write the baseline migration anew from the tables as they are declared now."""

from __future__ import annotations

from pathlib import Path

import metrics

from .schema import BASELINE, REVISION, baseline

HERE = Path(__file__).parent


def write() -> str:
    """Write the migration and the revision that stores are marked with. Returns: that revision."""
    revision, code = baseline()
    indented = (
        code if code.startswith("    ") else "\n".join(f"    {line}" if line else "" for line in code.splitlines())
    )
    (HERE / "versions" / "baseline.py").write_text(BASELINE.format(revision=revision, code=indented), "utf-8")
    Path(metrics.__path__[0], "revision.py").write_text(REVISION.format(revision=revision), "utf-8")
    return revision


if __name__ == "__main__":
    write()
