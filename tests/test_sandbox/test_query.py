"""Does the parser that SOQL and SuiteQL share understand what it says, and refuse the rest without falling over?"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.sandbox.apis import evaluate
from probes.sandbox.apis.query import Node, QuerySyntaxError, parse

from .erp_client import Erp

ROWS = [
    {"id": 1, "name": "Alder", "net": Decimal("10.50"), "on": date(2026, 11, 1), "note": None},
    {"id": 2, "name": "birke", "net": Decimal("20"), "on": date(2026, 11, 2), "note": "x"},
    {"id": 3, "name": "Cedar", "net": None, "on": date(2026, 11, 3), "note": "it's"},
]


def compiled(node: Node) -> evaluate.Getter:
    """Compile columns and literals over one table."""
    if node[0] == "lit":
        return lambda env: node[1]
    return lambda env: (env["t"] or {})[node[1]]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("id = 1 OR id = 3 AND name = 'nobody'", [1]),
        ("(id = 1 OR id = 3) AND name LIKE '%e%'", [1, 3]),
        ("NOT (id = 1)", [2, 3]),
        ("id IN (1, 3)", [1, 3]),
        ("id NOT IN ('1', '3')", [2]),
        ("net IS NULL", [3]),
        ("net = null", [3]),
        ("note != null", [2, 3]),
        ("net BETWEEN 10 AND 15", [1]),
        ("net >= 10.5 AND net < '20.01'", [1, 2]),
        ("on > 2026-11-01", [2, 3]),
        ("note = 'it''s'", [3]),
        ("note = 'it\\'s'", [3]),
        ("id <> 2", [1, 3]),
        ("net < 1", []),
    ],
)
def test_conditions_select_the_rows_they_say(where: str, ids: list[int]) -> None:
    accept = evaluate.condition(parse(f"SELECT id FROM t WHERE {where}").where or (), compiled)
    assert [row["id"] for row in ROWS if accept({"t": row})] == ids


def test_ordering_takes_several_keys_and_says_where_nulls_go() -> None:
    query = parse("SELECT id FROM t ORDER BY net DESC NULLS LAST, id")
    rows: list[evaluate.Env] = [{"t": row} for row in ROWS]
    assert [(env["t"] or {})["id"] for env in evaluate.ordered(rows, query.order_by, compiled)] == [2, 1, 3]


def test_limits_offsets_aliases_and_joins_are_read() -> None:
    query = parse(
        "select a.x as first, count(*) n from left_table a left outer join right_table b on b.k = a.k and b.v = 'T' "
        "where a.x is not null group by a.x order by a.x offset 20 rows fetch next 10 rows only"
    )
    assert (query.table, query.alias, query.limit, query.offset) == ("left_table", "a", 10, 20)
    assert [column.alias for column in query.columns] == ["first", "n"]
    assert [(join.table, join.alias, join.outer) for join in query.joins] == [("right_table", "b", True)]


NO_STATEMENTS = (
    "", "SELECT", "SELECT id", "SELECT id FROM t WHERE a =", "SELECT id FROM t LIMIT x", "UPDATE t",
    "SELECT id FROM t WHERE (a = 1",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_STATEMENTS)
def test_what_is_no_statement_is_a_syntax_error(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        parse(text)


WORDS = st.sampled_from((
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ORDER", "BY", "GROUP", "LIMIT", "(", ")",
    ",", "=", "<", ">", "*", "Id", "Name", "Account", "Opportunity", "transaction", "id", "t.id", "'x'", "5", "2026-11-01",
    "2026-11-01T00:00:00Z", "COUNT(", "TO_CHAR(", "JOIN", "ON", "true",
))  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=14))
def test_no_word_salad_brings_an_api_down(
    web: httpx.Client, crm: dict[str, str], erp: Erp, words: list[str], statement: Callable[[list[str]], str]
) -> None:
    text = statement(words)
    answered = web.get("/salesforce/services/data/v66.0/query", params={"q": text}, headers=crm)
    assert answered.status_code in (200, 400), answered.text
    assert erp.post(text).status_code in (200, 400)


@pytest.fixture
def statement() -> Callable[[list[str]], str]:
    """Give a maker of statements that get past their first words."""
    return lambda words: (
        f"SELECT Id FROM transaction WHERE {' '.join(words)}" if len(words) % 2 else f"SELECT {' '.join(words)}"
    )
