"""How suggestions learn what differs between two records of one customer: trained once, by an explicit command, and kept.

Chance agreement (u) is counted over random pairs, true agreement (m) by expectation maximisation over pairs that share a block,
blended with what is expected as long as few such pairs look alike. Seeded and on one thread: the same records give the same model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from .comparing import COLUMN, expected, splink_settings
from .features import Values, blocks
from .settings import Block, Suggesting

if TYPE_CHECKING:
    import pyarrow as pa
    from splink import DuckDBAPI, Linker

SEED = 20261121
RANDOM_PAIRS = 2e6
EXPECTED_PAIRS = 20
"""So many pairs weigh what is expected beside what is learned."""
EXPECTED_DUPLICATES = 0.03
"""So many of a company's customers are expected to stand there twice, as long as no more are seen to be alike."""
FEWEST = 20
"""From fewer records than this nothing can be learned."""
_EM_ROUNDS = 4
log = logging.getLogger("tieout.identity")
_LEAST = 1e-6


class TrainingError(ValueError):
    """Nothing can be learned from these records; the text says what to do."""


@dataclass(frozen=True)
class Trained:
    """A model: Splink's settings with their parameters, what it compares, and from how many records and pairs it learned."""

    settings: Mapping[str, Any]
    compares: str
    records: int
    alike: int

    @property
    def body(self) -> str:
        """Return the model as canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def digest(self) -> str:
        """Return the name of the model: the digest of its body."""
        return blake2b(self.body.encode(), digest_size=8).hexdigest()

    @classmethod
    def parse(cls, body: str) -> Trained:
        """Read a model back."""
        return cls(**json.loads(body))


def train(suggest: Suggesting, rows: Mapping[int, Values]) -> Trained:
    """Learn a model from records, one of each customer. Errors: TrainingError."""
    from splink.internals.exceptions import EMTrainingException

    if len(rows) < FEWEST:
        raise TrainingError(f"{len(rows)} customers are too few to learn from; at least {FEWEST} must have been polled")
    api = duckdb_api()
    listed = as_table(suggest, rows)
    alike = _alike(api, suggest, listed)
    pairs = len(rows) * (len(rows) - 1) / 2
    prior = max(alike, EXPECTED_DUPLICATES * len(rows)) / pairs
    linker = _linker(api, listed, splink_settings(suggest, prior))
    linker.training.estimate_u_using_random_sampling(
        max_pairs=RANDOM_PAIRS, seed=SEED, min_count_per_level=None, num_chunks=1
    )
    # From fewer pairs that look alike nothing is learned of how matches differ; what is expected stands.
    for rule in _usable(api, suggest, listed) if alike >= EXPECTED_PAIRS else ():
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(
                rule, fix_probability_two_random_records_match=True, max_pairs=RANDOM_PAIRS
            )
        except (EMTrainingException, ValueError) as error:
            log.info("nothing was learned where %s: %s", rule, error)  # this round found no two kinds of pairs
    learned = linker.misc.save_model_to_json()
    return Trained(_finished(suggest, learned, alike, pairs), suggest.compares, len(rows), alike)


def duckdb_api() -> DuckDBAPI:
    """Return an empty database in memory, on one thread, so that sums of floats come out the same each time."""
    import duckdb
    from splink import DuckDBAPI

    connection = duckdb.connect(":memory:")
    connection.execute("SET threads = 1")
    return DuckDBAPI(connection)


def as_table(
    suggest: Suggesting, rows: Mapping[int, Values], only: Mapping[int, Sequence[int]] | None = None
) -> pa.Table:
    """Return records as Splink reads them. `only`: the blocks to look in, instead of all that each stands in."""
    import pyarrow as pa

    listed = sorted(rows)
    columns: dict[str, Any] = {"id": pa.array(listed, pa.int64())}
    for field in suggest.fields:
        columns[COLUMN + field] = pa.array([rows[rid].get(field) for rid in listed], pa.string())
    within = [(blocks(suggest, rows[rid]) if only is None else list(only.get(rid, ()))) for rid in listed]
    columns["block"] = pa.array(within, pa.list_(pa.int64()))
    return pa.table(columns)


def _linker(api: DuckDBAPI, listed: pa.Table, settings: Mapping[str, Any]) -> Linker:
    from splink import Linker

    return Linker(api.register(listed), dict(settings), log_level=logging.ERROR)


def _alike(api: DuckDBAPI, suggest: Suggesting, listed: pa.Table) -> int:
    """Count the pairs that share two whole blocks of different fields: hardly any two that are not one do."""
    whole = [
        (number, {f for f, _ in b.parts}) for number, b in enumerate(suggest.blocks) if not any(s for _, s in b.parts)
    ]
    api.duckdb_con.register("listed", listed)
    each = [
        f"SELECT {n} AS number, l.id AS a, r.id AS b FROM ({_rare(suggest.blocks[n], suggest.block_most)}) l"  # noqa: S608
        f" JOIN listed r ON {_condition(suggest.blocks[n])} AND l.id < r.id"
        for n, _ in whole
    ]
    shared: dict[tuple[int, int], list[int]] = {}
    for number, a, b in api.duckdb_con.execute(" UNION ALL ".join(each)).fetchall() if each else ():
        shared.setdefault((a, b), []).append(number)
    api.duckdb_con.unregister("listed")
    fields = dict(whole)
    return sum(any(not fields[m] & fields[n] for m in found for n in found) for found in shared.values())


def _rare(block: Block, most: int) -> str:
    """Return the records whose value of a block is not too common to tell anybody apart."""
    columns = ", ".join(COLUMN + f for f, _ in block.parts)
    return f"SELECT * FROM listed QUALIFY COUNT(*) OVER (PARTITION BY {columns}) <= {most}"  # noqa: S608


def _usable(api: DuckDBAPI, suggest: Suggesting, listed: pa.Table) -> list[str]:
    """Return where expectation maximisation looks: blocks that pair some records, and not each with each.

    Together they leave every field to be learned in some round.
    """
    chosen: list[str] = []
    used: set[str] = set()
    api.duckdb_con.register("listed", listed)
    for block in sorted(suggest.blocks, key=lambda b: len(b.parts)):
        fields = {field for field, _ in block.parts}
        if fields & used or len(chosen) >= _EM_ROUNDS:
            continue
        rule = _condition(block)
        sql = f"SELECT COUNT(*) FROM listed l JOIN listed r ON {rule} AND l.id < r.id"  # noqa: S608
        ((pairs,),) = api.duckdb_con.execute(sql).fetchall()
        if EXPECTED_PAIRS <= pairs <= suggest.block_most * listed.num_rows:
            chosen.append(rule)
            used |= fields
    api.duckdb_con.unregister("listed")
    return chosen


def _condition(block: Block) -> str:
    return " AND ".join(
        f"substr(l.{COLUMN}{f}, 1, {size}) = substr(r.{COLUMN}{f}, 1, {size})"
        if size
        else f"l.{COLUMN}{f} = r.{COLUMN}{f}"
        for f, size in block.parts
    )


def _finished(suggest: Suggesting, learned: dict[str, Any], alike: int, pairs: float) -> dict[str, Any]:
    """Return the model with every level's shares: learned where there was something to learn from, blended with the expected."""
    for compared, comparison in zip(suggest.compare, learned["comparisons"], strict=True):
        found = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        usual = expected(compared)
        for level, share in zip(found, usual, strict=True):
            m = level.get("m_probability")
            m = share if m is None else (alike * m + EXPECTED_PAIRS * share) / (alike + EXPECTED_PAIRS)
            u = level.get("u_probability")
            # A level that no random pair reached is as rare as one pair of those counted.
            u = max(u or 0.0, 1 / min(pairs, RANDOM_PAIRS), _LEAST)
            level["m_probability"], level["u_probability"] = round(m, 9), round(u, 9)
    return learned
