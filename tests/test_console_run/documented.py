"""What do the tables under the headings of a document say of keys and defaults, and is it what the models say?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

DOCS = Path(__file__).resolve().parents[2] / "docs"
_ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
OPEN, TOLD = {"–", "all"}, {"four", "as shipped"}
"""Words of the column `default` for what is empty, and for what is said in words elsewhere."""


def sections(name: str) -> dict[str, str]:
    """Return the text under each heading of a document."""
    parts = re.split(r"^## ", (DOCS / name).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].strip("` "): part for part in parts}


def rows(text: str) -> dict[str, str]:
    """Return the default told of each key."""
    found = [(key, default) for key, default, meaning in _ROW.findall(text) if meaning.strip()]
    assert len(found) == len(dict(found)), "a key stands twice"
    return dict(found)


def fields(model: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """Return the fields of a model by the key that is written in the file."""
    return {prefix + (field.alias or name): field for name, field in model.model_fields.items()}


def wrong(told: dict[str, str], known: dict[str, FieldInfo]) -> Iterator[str]:
    """Yield what a table says wrongly of these fields."""
    yield from (f"{key} is not documented" for key in known.keys() - told.keys())
    yield from (f"{key} does not exist" for key in told.keys() - known.keys())
    for key in known.keys() & told.keys():
        field, default = known[key], told[key]
        if field.is_required() != (default == "required"):
            yield f"{key}: required or not?"
        elif not field.is_required() and not _agrees(field, default):
            yield f"{key}: the default is {field.get_default(call_default_factory=True)!r}, not {default}"


def _agrees(field: FieldInfo, told: str) -> bool:
    held: Any = field.get_default(call_default_factory=True)
    if told in OPEN | TOLD:
        return bool(held) == (told in TOLD)
    annotated: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return bool(TypeAdapter(annotated).validate_python(yaml.safe_load(told)) == held)
