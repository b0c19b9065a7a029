"""Can a steward do all of it in a terminal: learn, look, settle, undo – and is what was typed wrong said clearly?"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Loaded
from .test_commands import answer, documented, keys, tieout

pytestmark = pytest.mark.xdist_group("loaded")


@pytest.fixture(scope="module")
def own(loaded: Loaded, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a copy of the loaded store, on which a model was trained."""
    copy = tmp_path_factory.mktemp("identity") / "tieout.sqlite"
    source = Path(loaded.config).parent / "tieout.sqlite"
    assert source.exists(), list(source.parent.iterdir())
    for name in (source.name, f"{source.name}-wal"):
        if source.with_name(name).exists():
            shutil.copy(source.with_name(name), copy.with_name(name))
    url = f"sqlite:///{copy}"
    assert ask(loaded, url, "train", "--by", "Ada")["items"]
    assert ask(loaded, url, "suggest")["items"][0]["records"] > 0
    return url


def ask(loaded: Loaded, url: str, *arguments: str) -> dict[str, Any]:
    return answer(loaded, "--store", url, "identity", *arguments)


def test_every_key_of_every_answer_is_documented(loaded: Loaded, own: str) -> None:
    told = [ask(loaded, own, action) for action in ("list", "decisions", "refused", "suggest")]
    told.append(ask(loaded, own, "train", "--by", "Ada"))
    found = {key for each in told for key in keys(each)}
    assert not {key for key in found if key not in named()}


def named() -> set[str]:
    """Return every path that the document names, several of a row included."""
    return {path for line in documented("identity") for path in line.split("`, `")} | several()


def several() -> set[str]:
    from .test_commands import DOC

    section = DOC.read_text("utf-8").partition("## tieout identity")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {path.strip(" `") for row in rows for path in row.split(",")}


def test_what_is_confirmed_is_joined_listed_and_can_be_split_again(loaded: Loaded, own: str) -> None:
    customers = ask_list(loaded, own)
    one, other = customers[0], customers[1]
    settled = ask(loaded, own, "confirm", one, other, "--by", "Ada", "--reason", "same register number")["items"][0]
    assert (settled["kind"], settled["author"], {settled["one"], settled["other"]}) == ("confirm", "Ada", {one, other})
    refused = tieout(loaded, "--store", own, "identity", "confirm", one, other, "--by", "Ben", "--reason", "again")
    assert refused.returncode == 2
    assert "one customer already" in refused.stderr
    ask(loaded, own, "split", one, other, "--by", "Ben", "--reason", "two shops")
    assert [d["in_force"] for d in ask(loaded, own, "decisions")["items"][:2]] == [True, False]
    checked = answer(loaded, "--store", own, "rebuild", "--verify")
    assert [i for i in checked["items"] if i["differing"]] == []


def ask_list(loaded: Loaded, own: str) -> list[str]:
    """Return two accounts of the CRM as the command line names them."""
    found = answer(loaded, "--store", own, "find", "A")["items"] + answer(loaded, "--store", own, "find", "N")["items"]
    names = [f"{h['platform']}/{h['external_id']}" for h in found if h["kind"] == "customer" and h["platform"] == "crm"]
    assert len(set(names)) >= 2
    return sorted(set(names))[:2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train",), "give a name"),
        (("confirm", "crm/1"), "name two customer records"),
        (("confirm", "crm/none", "crm/none2", "--by", "Ada", "--reason", "x"), "no customer record has this id"),
        (("list", "crm/1"), "takes no records"),
        (("list", "--as-of", "2026-01-01"), "does not narrow"),
        (("list", "--after", "nonsense"), "not given out by this list"),
    ],
)
def test_what_was_typed_wrong_is_said(loaded: Loaded, own: str, arguments: tuple[str, ...], said: str) -> None:
    done = tieout(loaded, "--store", own, "identity", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_before_anything_was_learned_the_list_says_what_to_do(loaded: Loaded) -> None:
    told = answer(loaded, "identity")
    assert told["items"] == []
    assert "identity train" in told["notes"][0]
