"""What does a SELECT statement ask? The parser that SOQL and SuiteQL share; it knows neither tables nor functions."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from probes.sandbox.clock import to_us

Node = tuple[Any, ...]  # ("col", path) ("lit", value) ("call", name, args) ("star",) and the conditions

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
  | (?P<date>\d{4}-\d\d-\d\d)
  | (?P<number>-?\d+(?:\.\d+)?)
  | '(?P<string>(?:[^'\\]|''|\\.)*)'
  | (?P<word>[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*(?:\.\*)?)
  | (?P<op><=|>=|<>|!=|=|<|>|\(|\)|,|\*|\|\||\+|-|/|;)
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}
_AFTER_EXPRESSION = {
    "FROM", "WHERE", "AND", "OR", "ORDER", "GROUP", "LIMIT", "OFFSET", "FETCH", "ASC", "DESC", "NULLS", "ON", "JOIN",
    "INNER", "LEFT", "OUTER", "IS", "IN", "NOT", "LIKE", "BETWEEN", "HAVING", "ALL", "AS",
}  # fmt: skip


class QuerySyntaxError(ValueError):
    """The statement cannot be understood; the message says where."""


@dataclass(frozen=True)
class Column:
    """One selected expression and its output name."""

    node: Node
    alias: str | None


@dataclass(frozen=True)
class Join:
    """One joined table."""

    table: str
    alias: str
    outer: bool
    on: Node


@dataclass(frozen=True)
class Order:
    """One ordering key."""

    node: Node
    descending: bool
    nulls_first: bool | None


@dataclass
class Select:
    """One parsed statement."""

    columns: list[Column]
    table: str
    alias: str
    joins: list[Join] = field(default_factory=list)
    where: Node | None = None
    group_by: list[Node] = field(default_factory=list)
    order_by: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


def parse(text: str) -> Select:
    """Parse one SELECT statement.

    Errors: QuerySyntaxError naming the token that is not understood.
    """
    return _Parser(_tokens(text)).select()


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise QuerySyntaxError(f"unexpected token: {text[position : position + 20]!r}")
        position = match.end()
        kind = match.lastgroup or ""
        found.append((kind, match.group(kind)))
    return found


class _Parser:
    """A recursive descent over the tokens; one instance per statement."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.position = tokens, 0

    def peek(self) -> str:
        """Return the next token in upper case, or nothing for values and at the end."""
        kind, text = self.tokens[self.position] if self.position < len(self.tokens) else ("end", "")
        return text.upper() if kind in ("word", "op") else ""

    def take(self) -> tuple[str, str]:
        """Consume a token of any kind."""
        if self.position >= len(self.tokens):
            raise QuerySyntaxError("unexpected end of the query")
        self.position += 1
        return self.tokens[self.position - 1]

    def accept(self, *texts: str) -> bool:
        """Consume these words if they come next."""
        saved = self.position
        for text in texts:
            if self.peek() != text:
                self.position = saved
                return False
            self.position += 1
        return True

    def expect(self, text: str) -> None:
        """Consume this word or fail."""
        if not self.accept(text):
            near = self.tokens[self.position][1] if self.position < len(self.tokens) else "<end>"
            raise QuerySyntaxError(f"expecting {text}, found {near!r}")

    def select(self) -> Select:
        """Read a whole statement."""
        self.expect("SELECT")
        columns = [self.column()]
        while self.accept(","):
            columns.append(self.column())
        self.expect("FROM")
        table, alias = self.table()
        query = Select(columns, table, alias)
        while self.peek() in ("JOIN", "INNER", "LEFT"):
            query.joins.append(self.join())
        if self.accept("WHERE"):
            query.where = self.disjunction()
        if self.accept("GROUP", "BY"):
            query.group_by = self.expressions()
        if self.accept("ORDER", "BY"):
            query.order_by = [self.order()]
            while self.accept(","):
                query.order_by.append(self.order())
        self.tail(query)
        return query

    def tail(self, query: Select) -> None:
        """Read LIMIT, OFFSET and FETCH, then the end."""
        while self.position < len(self.tokens):
            if self.accept("LIMIT") or self.accept("FETCH", "FIRST") or self.accept("FETCH", "NEXT"):
                query.limit = self.integer()
                if self.accept("ROWS") or self.accept("ROW"):
                    self.expect("ONLY")
            elif self.accept("OFFSET"):
                query.offset = self.integer()
                _ = self.accept("ROWS") or self.accept("ROW")
            elif not self.accept("ALL", "ROWS") and not self.accept(";"):
                raise QuerySyntaxError(f"unexpected token: {self.take()[1]!r}")

    def integer(self) -> int:
        """Read a whole number."""
        kind, text = self.take()
        if kind != "number" or not text.isdigit():
            raise QuerySyntaxError(f"expecting a number, found {text!r}")
        return int(text)

    def table(self) -> tuple[str, str]:
        """Read a table and its alias."""
        kind, name = self.take()
        if kind != "word":
            raise QuerySyntaxError(f"expecting a table, found {name!r}")
        _ = self.accept("AS")
        nothing = (
            self.peek() in _AFTER_EXPRESSION or self.position >= len(self.tokens) or not self.peek().isidentifier()
        )
        return name, name if nothing else self.take()[1]

    def join(self) -> Join:
        """Read one join."""
        outer = self.accept("LEFT")
        _ = self.accept("OUTER") or self.accept("INNER")
        self.expect("JOIN")
        table, alias = self.table()
        self.expect("ON")
        return Join(table, alias, outer, self.disjunction())

    def column(self) -> Column:
        """Read one selected expression with its alias."""
        node = self.expression()
        if self.accept("AS"):
            return Column(node, self.take()[1])
        word = self.peek()
        if word.isidentifier() and word not in _AFTER_EXPRESSION:
            return Column(node, self.take()[1])
        return Column(node, None)

    def order(self) -> Order:
        """Read one ordering key."""
        node = self.expression()
        descending = self.accept("DESC")
        _ = descending or self.accept("ASC")
        nulls = True if self.accept("NULLS", "FIRST") else False if self.accept("NULLS", "LAST") else None
        return Order(node, descending, nulls)

    def disjunction(self) -> Node:
        """Read conditions joined by OR."""
        parts = [self.conjunction()]
        while self.accept("OR"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def conjunction(self) -> Node:
        """Read conditions joined by AND."""
        parts = [self.condition()]
        while self.accept("AND"):
            parts.append(self.condition())
        return parts[0] if len(parts) == 1 else ("and", parts)

    def condition(self) -> Node:
        """Read one comparison, a negation or a parenthesised condition."""
        if self.accept("NOT"):
            return ("not", self.condition())
        if self.accept("("):
            inner = self.disjunction()
            self.expect(")")
            return inner
        left = self.expression()
        if self.accept("IS"):
            negated = self.accept("NOT")
            self.expect("NULL")
            return ("null", left, negated)
        negated = self.accept("NOT")
        if self.accept("IN"):
            self.expect("(")
            options = self.expressions()
            self.expect(")")
            return ("in", left, options, negated)
        if self.accept("LIKE"):
            return ("like", left, self.expression(), negated)
        if self.accept("BETWEEN"):
            low = self.expression()
            self.expect("AND")
            return ("between", left, low, self.expression(), negated)
        operator = self.peek()
        if operator not in _COMPARISONS:
            raise QuerySyntaxError(f"expecting a comparison after {left[1] if len(left) > 1 else left!r}")
        self.take()
        return ("cmp", operator, left, self.expression())

    def expressions(self) -> list[Node]:
        """Read a comma-separated list."""
        found = [self.expression()]
        while self.accept(","):
            found.append(self.expression())
        return found

    def expression(self) -> Node:
        """Read a column, a literal or a function call."""
        kind, text = self.take()
        if kind == "word":
            return self.call(text) if self.peek() == "(" else _word(text)
        if kind == "op" and text == "*":
            return ("star",)
        if kind not in ("string", "number", "date", "datetime"):
            raise QuerySyntaxError(f"unexpected token: {text!r}")
        return ("lit", _literal(kind, text))

    def call(self, name: str) -> Node:
        """Read the arguments of a function."""
        self.expect("(")
        if self.accept(")"):
            return ("call", name.upper(), [])
        arguments = self.expressions()
        self.expect(")")
        return ("call", name.upper(), arguments)


def _word(text: str) -> Node:
    constants = {"NULL": None, "TRUE": True, "FALSE": False}
    return ("lit", constants[text.upper()]) if text.upper() in constants else ("col", text)


def _literal(kind: str, text: str) -> object:
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", text.replace("''", "'"))
    if kind == "number":
        return Decimal(text) if "." in text else int(text)
    if kind == "date":
        return date.fromisoformat(text)
    return Instant(to_us(datetime.fromisoformat(text.replace("Z", "+00:00"))))


class Instant(int):
    """Microseconds since epoch, told apart from a plain number."""
