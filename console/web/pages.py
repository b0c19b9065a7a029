"""Which pages there are: one file in `views/` each, discovered, in the order they name.

A view is a module with `PAGE`, a `View` of its frame passed to `render`, and nothing else to register.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent / "views"


@dataclass(frozen=True, slots=True)
class Page:
    """How a view is reached. `listed` false: only links lead there. `demo`: only where a sandbox is connected."""

    title: str
    icon: str
    order: int
    listed: bool = True
    demo: bool = False


@cache
def pages() -> dict[str, Page]:
    """Return every view's page by its name. Errors: TypeError for a view that declares none."""
    found: dict[str, Page] = {}
    for file in sorted(FOLDER.glob("[!_]*.py")):
        page = getattr(import_module(f"console.web.views.{file.stem}"), "PAGE", None)
        if not isinstance(page, Page):
            raise TypeError(f"console/web/views/{file.name} declares no PAGE; write PAGE = Page(title, icon, order)")
        found[file.stem] = page
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def path(name: str) -> str:
    """Return the file that links to a view name, as the page server wants it."""
    return str(FOLDER / f"{name}.py")
