"""What does a configuration file say, and on which line? Reads YAML safely; knows nothing of what the keys mean.

Plain values are read as YAML 1.2 does (`no` is text, `12:30` is text), numbers with leading zeros stay text because
they are identifiers, a key given twice is refused, and size, depth and aliases are capped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 512 * 1024
MAX_DEPTH = 40
MAX_ALIASES = 200
MAX_VALUES = 50_000

Place = tuple[str | int, ...]
_BOOLEANS = {
    word: value for value, words in ((True, "true True TRUE"), (False, "false False FALSE")) for word in words.split()
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}
# The loader resolves nothing: every scalar arrives as text and is read by `_scalar`. libyaml where it is there.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class ConfigError(Exception):
    """The configuration cannot be used. The text names file and line, what is wrong and what to write instead."""


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its data and the line (from 1) of every key and list item."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest place around it that the file holds."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def error(self, place: Place, message: str) -> str:
        """Return one line of an error text: file, line, place, what is wrong."""
        dotted = ".".join(str(part) for part in place)
        return f"{self.path}:{self.line(place)}: {dotted + ': ' if dotted else ''}{message}"


def read_source(path: Path) -> Source:
    """Read a configuration file. Errors: ConfigError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file. Write one with `tieout init`, or name yours with --config FILE."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: {len(raw)} bytes are too many; at most {MAX_BYTES} are read.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from None
    return parse_source(text, path)


def parse_source(text: str, path: Path) -> Source:
    """Parse configuration text; `path` is only named in errors. Errors: ConfigError."""
    try:
        _guard_events(text, path)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: this is not YAML: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is not YAML: {str(error).splitlines()[0]}") from None
    lines: dict[Place, int] = {}
    data = {} if root is None else _Builder(path, lines).build(root, ())
    if not isinstance(data, dict):
        raise ConfigError(f"{path}:1: the file must be a mapping of sections; begin with for example `platforms:`.")
    return Source(path, data, lines)


def _guard_events(text: str, path: Path) -> None:
    """Refuse what would be costly to build, looking only at the flat list of events."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{path}:{line}: nested deeper than {MAX_DEPTH} levels. Flatten this part.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES:
                raise ConfigError(f"{path}:{line}: more than {MAX_ALIASES} aliases. Write the values out.")


class _Builder:
    """Turns nodes into data while counting values, so that aliases cannot multiply without end."""

    def __init__(self, path: Path, lines: dict[Place, int]) -> None:
        self.path = path
        self.lines = lines
        self.count = 0
        self.open: set[int] = set()

    def fail(self, node: yaml.Node, message: str) -> ConfigError:
        return ConfigError(f"{self.path}:{node.start_mark.line + 1}: {message}")

    def build(self, node: yaml.Node, place: Place) -> Any:
        self.count += 1
        if self.count > MAX_VALUES:
            raise self.fail(node, f"more than {MAX_VALUES} values once aliases are followed. Write fewer.")
        if node.tag not in _PLAIN_TAGS:
            raise self.fail(node, f"tags such as {node.tag} are not read. Remove it; quote the value if it is text.")
        if isinstance(node, yaml.ScalarNode):
            return str(node.value) if node.style else _scalar(str(node.value))
        if id(node) in self.open:
            raise self.fail(node, "an alias contains itself. Write the values out.")
        self.open.add(id(node))
        built: Any = None
        if isinstance(node, yaml.MappingNode):
            built = self.mapping(node, place)
        elif isinstance(node, yaml.SequenceNode):
            built = self.sequence(node, place)
        self.open.discard(id(node))
        return built

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.fail(
                    key_node, "a key must be a word, not a list or mapping. Quote it if it is meant as text."
                )
            key = str(key_node.value)
            if key == "<<" and not key_node.style:
                raise self.fail(key_node, "merge keys (<<) are not read. Write the keys out.")
            if key in built:
                first = self.lines[(*place, key)]
                raise self.fail(key_node, f"{key!r} is given twice (first on line {first}). Keep one of them.")
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            built[key] = self.build(value_node, (*place, key))
        return built

    def sequence(self, node: yaml.SequenceNode, place: Place) -> list[Any]:
        items: list[Any] = []
        for index, item in enumerate(node.value):
            self.lines[(*place, index)] = item.start_mark.line + 1
            items.append(self.build(item, (*place, index)))
        return items


def _scalar(text: str) -> Any:
    """Read an unquoted value as YAML 1.2's core schema does, but never turn an identifier into a number."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 20 else text
    return float(text) if _FLOAT.fullmatch(text) else text
