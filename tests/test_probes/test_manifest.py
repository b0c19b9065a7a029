"""Manifests: a vendor is found by its file, and a broken description stops everything, loudly, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import platforms
from probes.errors import ProbeError, Reason
from probes.manifest import read_manifest
from probes.platforms import vendors
from probes.yamlfile import MAX_BYTES, YamlError, read_yaml

GOOD = "title: Acme\nroles: [crm]\n"


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ProbeError) as caught:
        read_manifest(path)
    assert caught.value.reason is Reason.CONFIG
    return caught.value.message


@pytest.mark.parametrize(("text", "words"), [
    ("", "must hold a mapping"),
    (GOOD + "colour: red\n", "acme.yaml: colour: Extra inputs are not permitted"),
    (GOOD + "vendor: other\n", "file name and vendor must agree"),
    (GOOD + "streams: {deal: {kind: deal}}\n", "streams.deal.kind: 'deal' is unknown; write one of customer"),
    (GOOD + "streams: {deal: {kind: order, map: {id: id, states: {A: opened}}}}\n", "streams.deal.map.states.A"),
    (GOOD + "streams: {deal: {kind: order, listing: {get: /x, page: {kind: cursor}}}}\n", "paging of kind cursor needs token and param"),
    (GOOD + "title: Again\n", "acme.yaml:3: 'title' stands here twice"),
    (GOOD + "auth: {kind: magic}\n", "auth.kind"),
    (GOOD + "errors: {rules: [{reason: bad_luck}]}\n", "errors.rules.0.reason"),
])  # fmt: skip
def test_a_broken_manifest_names_file_and_place(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path / "acme.yaml", text)


def test_a_broken_vendor_stops_the_discovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "FOLDERS", {tmp_path: "probes.platforms"})
    vendors.cache_clear()
    try:
        (tmp_path / "acme.yaml").write_text(GOOD)
        assert list(vendors()) == ["acme"]
        vendors.cache_clear()
        (tmp_path / "stray.py").write_text("")
        with pytest.raises(ProbeError, match=r"stray has code but no stray\.yaml"):
            vendors()
        (tmp_path / "stray.py").unlink()
        (tmp_path / "broken.yaml").write_text("title: [")
        with pytest.raises(ProbeError, match=r"broken\.yaml"):
            vendors()
    finally:
        vendors.cache_clear()


@pytest.mark.parametrize(("text", "value"), [
    ("a: no\n", {"a": "no"}), ("a: yes\n", {"a": "yes"}), ("a: 12:30\n", {"a": "12:30"}), ("a: 014\n", {"a": "014"}),
    ("a: true\n", {"a": True}), ("a: 12\n", {"a": 12}), ("a: ~\n", {"a": None}), ("a: 2026-01-01\n", {"a": "2026-01-01"}),
])  # fmt: skip
def test_values_are_what_they_look_like(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "x.yaml").write_text(text)
    assert read_yaml(tmp_path / "x.yaml") == value


@pytest.mark.parametrize("text", [
    "a: &x [1]\nb: *x\n", "a: !!python/object/apply:os.system ['true']\n", "a: [1\n", "a: \x00\n", "[" * 5000, "a: 1\n" + "#" * MAX_BYTES,
])  # fmt: skip
def test_what_is_not_safe_is_not_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(YamlError, match=r"x\.yaml"):
        read_yaml(tmp_path / "x.yaml")
