"""How does business happen in the lab's CRM? It is a folder of export files, one line for each change, as a CRM writes them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Crm:
    """A folder with `accounts.jsonl` and `deals.jsonl`; every change of a record is appended as its new state."""

    folder: Path

    def account(self, id: str, name: str, entity: str, at: dt.datetime) -> None:
        """Write a customer."""
        self._append("accounts", {"id": id, "name": name, "entity": entity, "created": _iso(at), "changed": _iso(at)})

    def deal(
        self, id: str, account: str, entity: str, amount: str, currency: str, stage: str, at: dt.datetime
    ) -> dt.datetime:
        """Write a deal that reached its stage at an instant. Returns: the instant as the export shows it."""
        line = {
            "id": id, "account": account, "entity": entity, "amount": amount, "currency": currency, "stage": stage,
            "created": _iso(at - dt.timedelta(hours=1)), "changed": _iso(at), "closed": _iso(at),
        }  # fmt: skip
        self._append("deals", line)
        return dt.datetime.fromisoformat(_iso(at))

    def _append(self, name: str, line: dict[str, str]) -> None:
        with (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _iso(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")
