"""Is a configuration file read as its author meant it, and refused where it cannot be?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.run.yaml_source import MAX_BYTES, ConfigError, parse_source, read_source

HERE = Path("tieout.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, HERE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("014", "014"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("5", 5),
        ("-5", -5),
        ("0.99", 0.99),
        ("1e3", 1000.0),
        ("99999999999999999999", "99999999999999999999"),
        ("[1, no, [~]]", [1, "no", [None]]),
    ],
)
def test_plain_values_are_read_as_yaml_1_2_reads_them(written: str, read: object) -> None:
    assert parse_source(f"a: {written}", HERE).data == {"a": read}


def test_a_key_given_twice_is_refused_naming_both_lines() -> None:
    text = refusal("platforms:\n  crm: {vendor: a}\n  erp: {vendor: b}\n  crm: {vendor: c}\n")
    assert text.startswith("tieout.yaml:4:")
    assert "first on line 2" in text


def test_aliases_cannot_multiply_without_end() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert "Write fewer" in refusal(bomb)


def test_too_many_aliases_are_refused_before_anything_is_built() -> None:
    assert "more than 200 aliases" in refusal("a: &a 1\nb: [" + ", ".join(["*a"] * 201) + "]")


def test_an_alias_that_contains_itself_is_refused() -> None:
    assert "contains itself" in refusal("a: &a [1, *a]")


def test_deep_nesting_is_refused_without_exhausting_the_stack() -> None:
    assert "nested deeper" in refusal("a: " + "[" * 5000 + "]" * 5000)


@pytest.mark.parametrize("tagged", ["!!python/object/apply:os.system ['true']", "!foo x", "!!int 5"])
def test_tags_are_refused(tagged: str) -> None:
    assert "tags such as" in refusal(f"a: {tagged}")


def test_merge_keys_are_refused_with_what_to_write() -> None:
    assert "Write the keys out" in refusal("a: &a {x: 1}\nb:\n  <<: *a\n")


def test_broken_yaml_names_its_line() -> None:
    assert refusal("a: 1\nb: [1, 2\nc: 3\n").startswith("tieout.yaml:3:")


def test_a_list_at_the_top_is_refused() -> None:
    assert "mapping of sections" in refusal("- 1\n- 2\n")


def test_an_empty_file_is_an_empty_configuration() -> None:
    assert parse_source("# nothing yet\n", HERE).data == {}


def test_every_key_knows_its_line() -> None:
    source = parse_source("a:\n  b:\n    - c: 1\n      d: 2\n", HERE)
    assert source.line(("a", "b", 0, "d")) == 4
    assert source.line(("a", "b", 7, "nowhere")) == 2


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tieout init"):
        read_source(tmp_path / "tieout.yaml")


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="too many"):
        read_source(tmp_path / "t.yaml")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_bytes("company: Müller".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read_source(tmp_path / "t.yaml")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=":-[]{}&*!|>'\"#%@`,?~ \n\tab01\x00é<", max_size=60))
def test_any_text_is_read_or_refused_in_one_way(text: str) -> None:
    told: str | None = None
    try:
        data = parse_source(text, HERE).data
    except ConfigError as error:
        data, told = {}, str(error)
    assert isinstance(data, dict)
    assert told is None or told.startswith("tieout.yaml")
