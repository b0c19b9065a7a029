"""Does the house still stand as drawn? Reads every import and a few calls; runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("probes", "metrics", "alerts", "console")
MAX_LINES = 400


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, the modules it imports and the attribute calls it makes."""

    path: Path
    name: str
    imports: frozenset[str]
    calls: frozenset[str]
    lines: int

    def __str__(self) -> str:
        return self.name

    def inside(self, *places: str) -> bool:
        return any(self.name == p or self.name.startswith(p + ".") for p in places)

    def uses(self, *packages: str) -> set[str]:
        return {i for i in self.imports for p in packages if i == p or i.startswith(p + ".")}


def modules() -> list[Module]:
    return [_module(path) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@cache
def _module(path: Path) -> Module:
    text = path.read_text("utf-8")
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    tree = ast.parse(text, str(path))
    package = name if is_package else name.rpartition(".")[0]
    return Module(path, name, frozenset(_imports(tree, package)), frozenset(_calls(tree)), text.count("\n"))


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = package.split(".")
                base = ".".join([*here[: len(here) - node.level + 1], *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            yield f"{node.value.attr}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{alias.name}" for alias in node.names)


ALL = modules()
everywhere = pytest.mark.parametrize("module", ALL, ids=str)


def test_the_reader_sees_imports_of_every_form(tmp_path: Path) -> None:
    tree = ast.parse("import a.b\nfrom ..c import d\nfrom . import e\ndef f():\n    from g.h import i\n    x.now()\n")
    assert set(_imports(tree, "room.sub")) == {"a.b", "room.c", "room.c.d", "room.sub", "room.sub.e", "g.h", "g.h.i"}
    assert set(_calls(tree)) == {"x.now"}


def test_every_room_is_read() -> None:
    assert {m.name.partition(".")[0] for m in ALL} == set(ROOMS)
    assert len(ALL) > 50


@everywhere
def test_imports_only_point_left(module: Module) -> None:
    room = module.name.partition(".")[0]
    assert not module.uses(*ROOMS[ROOMS.index(room) + 1 :])
    assert not module.uses("tests")


@everywhere
def test_the_sandbox_knows_nothing_of_tieout_and_only_run_knows_it(module: Module) -> None:
    if module.inside("probes.sandbox"):
        assert {i for i in module.uses(*ROOMS) if not (i == "probes" or i.startswith("probes.sandbox"))} == set()
    elif not module.inside("console.run"):
        assert not module.uses("probes.sandbox")


@everywhere
def test_only_probes_and_channels_speak_http(module: Module) -> None:
    speakers = ("httpx", "requests", "urllib.request", "urllib3", "http.client", "aiohttp", "httpcore", "smtplib")
    if module.inside("probes", "alerts.channels"):
        return
    found = module.uses(*speakers)
    if module.inside("console.run.workspace", "console.run.sampling"):
        found -= {"httpx"}  # names the type of an injected transport; opens nothing
    assert not found


@everywhere
def test_only_the_web_shows(module: Module) -> None:
    if not module.inside("console.web"):
        assert not module.uses("streamlit", "plotly", "fastapi", "starlette", "uvicorn")


@everywhere
def test_only_run_schedules(module: Module) -> None:
    if not module.inside("console.run"):
        assert not module.uses("apscheduler")


@everywhere
def test_only_the_clock_asks_what_time_it_is(module: Module) -> None:
    if module.inside("probes.clock", "probes.sandbox"):
        return
    forbidden = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
    assert not module.calls & forbidden


@everywhere
def test_no_file_grows_beyond_reading(module: Module) -> None:
    # The table definitions are one list on purpose: the schema is read top to bottom.
    if module.inside("console.run.migrations.versions"):
        return  # written by `make baseline`
    limit = 500 if module.name == "metrics.tables" else MAX_LINES
    assert module.lines < limit


@everywhere
def test_every_file_says_which_question_it_answers(module: Module) -> None:
    text = module.path.read_text("utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{module.path} has no docstring"
