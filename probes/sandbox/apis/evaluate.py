"""Which rows does a parsed statement return? Joins, filters, groups, order; a dialect supplies columns and functions."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from probes.sandbox.apis.query import Column, Join, Node, Order, Select
from probes.sandbox.world import Row

Env = dict[str, Row | None]  # table alias -> row; None after an outer join without partner
Getter = Callable[[Env], Any]
Compile = Callable[[Node], Getter]
_AGGREGATES = {"COUNT", "SUM", "MIN", "MAX"}


def condition(node: Node, compile_expression: Compile) -> Callable[[Env], bool]:
    """Compile a condition into a predicate; a comparison with nothing is false."""
    kind = node[0]
    if kind in ("and", "or"):
        parts = [condition(part, compile_expression) for part in node[1]]
        return (lambda env: all(p(env) for p in parts)) if kind == "and" else (lambda env: any(p(env) for p in parts))
    if kind == "not":
        inner = condition(node[1], compile_expression)
        return lambda env: not inner(env)
    left = compile_expression(node[1] if kind != "cmp" else node[2])
    if kind == "null":
        return lambda env: (left(env) is None) != node[2]
    if kind == "in":
        options = [compile_expression(option) for option in node[2]]
        return lambda env: left(env) is not None and any(compare("=", left(env), o(env)) for o in options) != node[3]
    if kind == "like":
        pattern = _like(str(compile_expression(node[2])({})))
        return lambda env: left(env) is not None and bool(pattern.fullmatch(str(left(env)))) != node[3]
    if kind == "between":
        low, high = compile_expression(node[2]), compile_expression(node[3])
        return lambda env: (compare(">=", left(env), low(env)) and compare("<=", left(env), high(env))) != node[4]
    right, operator = compile_expression(node[3]), node[1]
    if node[3] == ("lit", None):
        return lambda env: (left(env) is None) == (operator == "=")
    return lambda env: compare(operator, left(env), right(env))


def compare(operator: str, left: Any, right: Any) -> bool:
    """Compare two values, reading text as a number when the other side is one."""
    if left is None or right is None:
        return False
    if isinstance(left, str) != isinstance(right, str):
        try:
            left, right = (Decimal(str(value).strip()) for value in (left, right))
        except InvalidOperation:
            return operator in ("!=", "<>")
    if operator == "=":
        return bool(left == right)
    if operator in ("!=", "<>"):
        return bool(left != right)
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    return bool(left > right) if operator == ">" else bool(left >= right)


def joined(
    start: Iterable[Env], joins: list[Join], tables: Callable[[str], Iterable[Row]], compiler: Compile
) -> list[Env]:
    """Extend rows by joined tables; every ON needs at least one equality of two columns."""
    rows = list(start)
    for join in joins:
        left, right, rest = _equality(join)
        right_key, left_key = compiler(right), compiler(left)
        index: dict[str, list[Row]] = {}
        for row in tables(join.table):
            index.setdefault(str(right_key({join.alias: row})), []).append(row)
        accept = condition(("and", rest), compiler) if rest else None
        wider: list[Env] = []
        for env in rows:
            partners: list[Env] = [env | {join.alias: row} for row in index.get(str(left_key(env)), [])]
            partners = [p for p in partners if accept is None or accept(p)]
            wider += partners or ([env | {join.alias: None}] if join.outer else [])
        rows = wider
    return rows


def _equality(join: Join) -> tuple[Node, Node, list[Node]]:
    parts: list[Node] = list(join.on[1]) if join.on[0] == "and" else [join.on]
    for part in parts:
        if part[0] == "cmp" and part[1] == "=" and part[2][0] == part[3][0] == "col":
            rest = [other for other in parts if other is not part]
            mine = part[2][1].lower().startswith(f"{join.alias.lower()}.")
            return (part[3], part[2], rest) if mine else (part[2], part[3], rest)
    raise ValueError(f"the join of {join.table} needs an equality of two columns")


def ordered(rows: list[Env], order_by: list[Order], compiler: Compile) -> list[Env]:
    """Sort rows, last key first; nulls come first unless said otherwise."""
    for order in reversed(order_by):
        getter = compiler(order.node)
        nulls_first = order.nulls_first if order.nulls_first is not None else not order.descending
        empty = [env for env in rows if getter(env) is None]
        filled = sorted((env for env in rows if getter(env) is not None), key=getter, reverse=order.descending)
        rows = empty + filled if nulls_first else filled + empty
    return rows


def is_aggregate(query: Select) -> bool:
    """Tell whether a statement groups or counts."""
    return bool(query.group_by) or any(c.node[0] == "call" and c.node[1] in _AGGREGATES for c in query.columns)


def grouped(rows: list[Env], query: Select, compiler: Compile, name: Callable[[Column, int], str]) -> list[Row]:
    """Evaluate a statement with aggregates."""
    keys = [compiler(node) for node in query.group_by]
    groups: dict[tuple[Any, ...], list[Env]] = {} if keys else {(): []}
    for env in rows:
        groups.setdefault(tuple(key(env) for key in keys), []).append(env)
    makers = [(name(column, number), _aggregate(column.node, compiler)) for number, column in enumerate(query.columns)]
    return [{label: make(members) for label, make in makers} for members in groups.values()]


def _aggregate(node: Node, compiler: Compile) -> Callable[[list[Env]], Any]:
    if node[0] != "call" or node[1] not in _AGGREGATES:
        getter = compiler(node)
        return lambda members: getter(members[0]) if members else None
    if node[1] == "COUNT" and (not node[2] or node[2][0] == ("star",)):
        return len
    getter = compiler(node[2][0])

    def values(members: list[Env]) -> list[Any]:
        return [value for value in map(getter, members) if value is not None]

    if node[1] == "COUNT":
        return lambda members: len(values(members))
    if node[1] == "SUM":
        return lambda members: sum(values(members)) if values(members) else None
    extreme = min if node[1] == "MIN" else max
    return lambda members: extreme(values(members), default=None)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile(
        "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern), re.IGNORECASE | re.DOTALL
    )
