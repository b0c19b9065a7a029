"""Is a table readable at every width of a terminal?"""

from __future__ import annotations

import pytest

from console.run import output
from console.run.output import Answer, Column, Format

COLUMNS = tuple(Column(f"heading {n}", f"k{n}") for n in range(6))
ITEMS = [{f"k{n}": f"value{n}-of-{row}" if n != 3 else None for n in range(6)} for row in ("first", "second")]


@pytest.fixture
def width(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    monkeypatch.setattr(output, "PIPE_WIDTH", request.param)
    return int(request.param)


def written(capsys: pytest.CaptureFixture[str], columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    output.write(Answer(ITEMS, columns, {}), Format.TABLE)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [200], indirect=True)
def test_what_fits_is_a_table(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys)
    assert lines[0].split("  ")[0] == "heading 0"
    assert len(lines) == 3


@pytest.mark.parametrize("width", [50, 70], indirect=True)
def test_what_does_not_fit_is_a_block_for_each_row_with_no_word_cut(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = written(capsys)
    assert [line.split() for line in lines[:2]] == [
        ["heading", "0", "value0-of-first"],
        ["heading", "1", "value1-of-first"],
    ]
    assert not any("heading 3" in line for line in lines)  # nothing is known of it
    assert all(f"value{n}-of-second" in "\n".join(lines) for n in (0, 1, 2, 4, 5))
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [30], indirect=True)
def test_few_columns_stay_a_table(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, COLUMNS[:2])
    assert lines[0].split() == ["heading", "0", "heading", "1"]
