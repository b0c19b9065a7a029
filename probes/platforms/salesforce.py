"""What Salesforce needs beyond its manifest: who is an integration user, which stages are won, which organisation this is."""

from __future__ import annotations

from ..errors import ProbeError, Reason
from ..paging import PageSpec, walk
from ..probe import Environment, Meter
from ..request import Request
from ..source import Session

_PAGING = PageSpec(kind="next_url", token="nextRecordsUrl")


def prepare(session: Session, meter: Meter) -> None:
    """Learn users and stages once an hour."""
    session.remember("users", lambda: session.tables["users"].update(_users(session, meter)))
    session.remember("stages", lambda: session.tables["stages"].update(_stages(session, meter)))


def check(session: Session, meter: Meter) -> Environment:
    """Ask the organisation what it is."""
    rows = _query(session, "SELECT Id, IsSandbox, OrganizationType FROM Organization", meter)
    if not rows:
        raise session.error(Reason.NOT_VISIBLE, "cannot see its own Organization; the probe user lacks `View Setup`")
    environment = "test" if rows[0].get("IsSandbox") else "production"
    version = session.manifest.base_path.rpartition("/v")[2]
    return Environment(str(rows[0].get("Id")), environment, version, tuple(meter.warnings))


def _query(session: Session, statement: str, meter: Meter) -> list[dict[str, object]]:
    request = Request(f"{session.manifest.base_path}/query", (("q", statement),))
    return [row for page in walk(session.client, _PAGING, request, "records", meter) for row in page.rows]


def _users(session: Session, meter: Meter) -> dict[str, str]:
    words = [str(word).lower() for word in session.option("integration_users") or []]
    rows = _query(session, "SELECT Id, Name, UserType FROM User", meter)
    return {str(row["Id"]): _actor_kind(row, words) for row in rows if row.get("Id")}


def _actor_kind(row: dict[str, object], words: list[str]) -> str:
    name = str(row.get("Name") or "").lower()
    if any(word in name for word in words):
        return "integration"
    return "person" if row.get("UserType") == "Standard" else "automation"


def _stages(session: Session, meter: Meter) -> dict[str, str]:
    """Return stage -> state: from the organisation's stages, else from how its opportunities use them."""
    try:
        rows = _query(session, "SELECT MasterLabel, IsWon, IsClosed FROM OpportunityStage", meter)
    except ProbeError as error:
        if error.reason not in (Reason.BAD_REQUEST, Reason.FORBIDDEN):
            raise
        used = "SELECT StageName, IsWon, IsClosed, COUNT(Id) n FROM Opportunity GROUP BY StageName, IsWon, IsClosed"
        rows = _query(session, used, meter)
    return {str(name): _stage_state(row) for row in rows if (name := row.get("MasterLabel") or row.get("StageName"))}


def _stage_state(row: dict[str, object]) -> str:
    if row.get("IsWon"):
        return "won"
    return "lost" if row.get("IsClosed") else "open"
