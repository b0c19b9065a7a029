"""Which files does the company write? The integration log and the nightly account export; it reads none."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from probes.sandbox.clock import iso_seconds
from probes.sandbox.world import World

LOG_NAME, ACCOUNTS_NAME = "integration-log.jsonl", "crm-accounts.csv"
_COLUMNS = (
    "Id", "Name", "AccountNumber", "ParentId", "Legal_Entity__c", "Segment__c", "Region__c", "VAT_Id__c", "Payment_Terms__c",
    "CurrencyIsoCode", "BillingStreet", "BillingCity", "BillingPostalCode", "BillingCountry", "Is_Test__c", "SystemModstamp",
)  # fmt: skip


@dataclass
class Export:
    """The files of one data directory and how far the log has been written."""

    data_dir: Path
    written: int = 0

    def flush(self, world: World) -> None:
        """Append the log lines that are new since the last call."""
        fresh = world.log[self.written :]
        if fresh:
            with (self.data_dir / LOG_NAME).open("a", encoding="utf-8") as log:
                log.writelines(json.dumps(line) + "\n" for line in fresh)
            self.written = len(world.log)

    def snapshot_accounts(self, world: World) -> None:
        """Replace the account export by today's state, in one step so that no reader sees half of it."""
        part = self.data_dir / f"{ACCOUNTS_NAME}.part"
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
            writer.writeheader()
            for row in world.salesforce["Account"].values():
                if not row["IsDeleted"]:
                    writer.writerow(row | {"SystemModstamp": iso_seconds(row["SystemModstamp"])})
        part.replace(self.data_dir / ACCOUNTS_NAME)


def start(world: World, data_dir: Path) -> Export:
    """Begin a data directory: the log of a former company is dropped."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / LOG_NAME).write_text("", encoding="utf-8")
    export = Export(data_dir)
    export.snapshot_accounts(world)
    return export
