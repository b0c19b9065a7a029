"""How do the platforms themselves fail? Down, slow, limited, signed out, blind, partial, empty; the APIs read what ails them."""

from probes.sandbox.clock import DAY_US, SECOND_US
from probes.sandbox.entities import BY_CODE
from probes.sandbox.failures.spec import Fault, Given, fault, one_of, variant_of
from probes.sandbox.journal import Entry
from probes.sandbox.records import LOADER, crm_update
from probes.sandbox.world import Action, Row, World

PLATFORMS = ("salesforce", "stripe", "netsuite", "zendesk", "rabbitmq", "n8n")
_LISTING = PLATFORMS[:4]
_DOWN = ("503", "500", "502", "cut", "timeout")


def _platform(world: World, key: str, given: Given, options: tuple[str, ...], drawn: tuple[str, ...]) -> str:
    return one_of("platform", str(given.get("platform") or world.rng("platform", key).choice(drawn)), options)


def ail(
    world: World,
    fault_id: str,
    platform: str,
    condition: Row,
    kind: str,
    note: str,
    given: Given,
    undo: Action | None = None,
) -> Entry:
    """Let a platform suffer from a condition, for `seconds` if given, and write that it does."""
    world.conditions[platform].append(condition)
    entry = world.journal.write(
        kind, (platform, condition.pop("object", "platform"), condition.pop("name", platform)), fault=fault_id,
        money_minor=None, currency=None, started_us=world.now_us, due_us=None, true_from_us=world.now_us,
        entity=condition.get("entity"), note=note,
    )  # fmt: skip

    def mend() -> None:
        world.conditions[platform] = [c for c in world.conditions[platform] if c is not condition]
        if undo is not None:
            undo()

    def end() -> None:
        if world.repairs.pop(entry.id, None) is not None:
            mend()
            world.journal.repaired(entry.id, world.now_us)

    world.repairs[entry.id] = mend
    if "seconds" in given:
        world.after(float(given["seconds"]), end)
    return entry


def down(world: World, key: str, given: Given) -> None:
    """P01."""
    name = _platform(world, key, given, PLATFORMS, _LISTING)
    variant = str(given.get("variant") or world.rng("down", key).choice(_DOWN[:1] + _DOWN[3:]))
    condition: Row = {"kind": "down", "variant": one_of("variant", variant, _DOWN)}
    condition["hang_seconds"] = float(given.get("hang_seconds", 30))
    ail(world, "P01", name, condition, "platform_down", f"answers {variant}", given)


def slow(world: World, key: str, given: Given) -> None:
    """P02: every answer takes seconds, on the clock of the sandbox."""
    name = _platform(world, key, given, PLATFORMS, _LISTING)
    wait = float(given.get("wait_seconds", 8))
    ail(world, "P02", name, {"kind": "slow", "seconds": wait}, "latency", f"answers after {wait:.0f} s", given)


def limited(world: World, key: str, given: Given) -> None:
    """P03."""
    variant = one_of("variant", str(given.get("variant") or "429"), ("429", "quota"))
    if variant == "quota":
        one_of("platform", given.get("platform", "salesforce"), ("salesforce",))
        condition: Row = {"kind": "quota", "used": 90_000, "per_call": 50}
        note = "somebody else uses up the daily allowance"
        ail(world, "P03", "salesforce", condition, "quota_exhausting", note, given)
        return
    name = _platform(world, key, given, (*_LISTING, "n8n"), _LISTING)
    condition = {"kind": "rate_limited"} | ({"remaining": int(given["calls"])} if "calls" in given else {})
    ail(world, "P03", name, condition, "rate_limited", "refuses calls over its limit", given)


def signed_out(world: World, key: str, given: Given) -> None:
    """P04."""
    name = _platform(world, key, given, PLATFORMS, _LISTING)
    ail(world, "P04", name, {"kind": "revoked"}, "auth", "credentials are revoked", given)


def skewed(world: World, key: str, given: Given) -> None:
    """P07: the clock of a platform, with which it stamps rows and answers, goes wrong by minutes."""
    name = _platform(world, key, given, _LISTING, _LISTING)
    rng = world.rng("skew", key)
    skew = int(given.get("skew_seconds", rng.choice((-1, 1)) * rng.randint(60, 240)))
    former = world.skews_us.get(name, 0)
    world.skews_us[name] = former + skew * SECOND_US

    def undo() -> None:
        world.skews_us[name] -= skew * SECOND_US

    ail(world, "P07", name, {"kind": "skew"}, "clock_skew", f"its clock is {skew} s ahead", given, undo)


def rows_late(world: World, key: str, given: Given) -> None:
    """P08: half of the rows of the CRM show up 40 s late, or hundreds share one stamp; nothing may be lost."""
    subject = ("salesforce", "platform", "salesforce")
    if variant_of(world, key, given, "late", "stamp") == "stamp":
        rows = [row for row in world.salesforce["Opportunity"].values() if not row["IsDeleted"]][-450:]
        for row in rows:
            crm_update(world, row, LOADER, Description=f"mass update {key}")
        world.silent("P08", "one_stamp", subject, f"{len(rows)} rows share one stamp")
        return
    condition: Row = {"kind": "late_rows", "lag_seconds": 40}
    world.conditions["salesforce"].append(condition)
    world.silent("P08", "rows_late", subject, "half of the rows show up 40 s late")

    def end() -> None:
        world.conditions["salesforce"] = [c for c in world.conditions["salesforce"] if c is not condition]

    world.after(float(given.get("seconds", 7200)), end)


def partial(world: World, key: str, given: Given) -> None:
    """P09: pages end in the middle: the connection, the text, or the rows of a page that says it is the last."""
    variant = variant_of(world, key, given, "cut", "truncated", "lying")
    drawn = ("salesforce", "netsuite") if variant == "lying" else _LISTING
    name = _platform(world, key, given, _LISTING, drawn)
    ail(world, "P09", name, {"kind": "partial", "variant": variant}, "partial_poll", f"pages are {variant}", given)


def emptied(world: World, key: str, given: Given) -> None:
    """P10."""
    name = _platform(world, key, given, _LISTING, _LISTING)
    ail(world, "P10", name, {"kind": "empty"}, "zero_volume", "answers success and no rows", given)


def blind(world: World, key: str, given: Given) -> None:
    """P11: an entity (default NW-US in the ERP), or a field as `Object.field`."""
    name = one_of("platform", given.get("platform", "netsuite"), ("salesforce", "stripe", "netsuite"))
    if "field" in given:
        condition: Row = {"kind": "blind", "field": _field(given["field"])}
        note = f"cannot see {given['field']}"
    else:
        entity = one_of("entity", given.get("entity", "NW-US"), tuple(BY_CODE))
        condition, note = {"kind": "blind", "entity": entity}, f"cannot see {entity}"
    ail(world, "P11", name, condition, "not_visible", note, given)


def _field(value: object) -> str:
    if str(value).count(".") != 1:
        raise ValueError("field must read Object.field, for instance transaction.foreigntotal")
    return str(value)


_DRIFTS: dict[str, tuple[tuple[str, str], ...]] = {
    "dropped": (("salesforce", "Opportunity.PO_Number__c"), ("netsuite", "transaction.otherrefnum")),
    "renamed": (("stripe", "invoice.amount_remaining"), ("stripe", "subscription.collection_method")),
    "retyped": (("salesforce", "Account.VAT_Id__c"), ("stripe", "invoice.total_excluding_tax")),
    "enum": (("salesforce", "OpportunityHistory.StageName"), ("stripe", "payment_intent.status")),
}
_NEW_VALUES = {
    "OpportunityHistory.StageName": ("Negotiation", "Negotiation - Legal"),
    "payment_intent.status": ("succeeded", "settled"),
}


def drifted(world: World, key: str, given: Given) -> None:
    """P05: a field is dropped, renamed, retyped, or holds a value that was not there before."""
    variant = variant_of(world, key, given, *_DRIFTS)
    name, field = world.rng("drift", key).choice(_DRIFTS[variant])
    if "field" in given:
        field, name = _field(given["field"]), one_of("platform", str(given.get("platform", name)), _LISTING)
    condition: Row = {"kind": "schema", "variant": variant, "field": field, "object": "field", "name": field}
    if variant == "enum":
        condition["former"], condition["value"] = _NEW_VALUES.get(field, (given.get("former"), "new value"))
    ail(world, "P05", name, condition, "schema_drift", f"{field} is {variant}", given)


def deprecated(world: World, key: str, given: Given) -> None:
    """P06."""
    name = _platform(world, key, given, PLATFORMS, _LISTING)
    days = world.rng("sunset", key).randint(20, 200)
    condition: Row = {"kind": "sunset", "since_us": world.now_us, "sunset_us": world.now_us + days * DAY_US}
    ail(world, "P06", name, condition, "deprecation", f"this version of the API ends in {days} days", given)


def swapped(world: World, key: str, given: Given) -> None:
    """P12: the address leads to the platform's sandbox, which has an id of its own."""
    name = _platform(world, key, given, ("salesforce", "stripe"), ("salesforce", "stripe"))
    if name == "stripe":
        ail(world, "P12", name, {"kind": "swapped"}, "environment", "answers with livemode false", given)
        return
    (row,) = world.salesforce["Organization"].values()
    former = {field: row[field] for field in ("Id", "IsSandbox")}
    row.update(Id=f"{former['Id'][:14]}Z{former['Id'][15:]}", IsSandbox=True)
    ail(
        world,
        "P12",
        name,
        {"kind": "swapped"},
        "environment",
        "says it is a sandbox",
        given,
        lambda: row.update(former),
    )


FAULTS: dict[str, Fault] = {
    "P01": fault("a platform is down", "platform_down: platform", down, "platform", "variant", "seconds", "hang_seconds"),
    "P02": fault("a platform is slow", "latency: platform", slow, "platform", "seconds", "wait_seconds"),
    "P03": fault(
        "calls are refused or a quota runs out", "rate_limited or quota_exhausting: platform", limited,
        "platform", "variant", "seconds", "calls",
    ),
    "P04": fault("credentials are revoked", "auth: platform", signed_out, "platform", "seconds"),
    "P05": fault(
        "a field is dropped, renamed, retyped, or has a new value", "schema_drift: field", drifted,
        "platform", "variant", "field", "seconds",
    ),
    "P06": fault("the version of an API has an end", "deprecation: platform", deprecated, "platform", "seconds"),
    "P07": fault("the clock of a platform is wrong", "clock_skew: platform", skewed, "platform", "seconds", "skew_seconds"),
    "P08": fault("rows show up late or share one stamp", "silent", rows_late, "variant", "seconds"),
    "P09": fault("pages end in the middle", "partial_poll: platform", partial, "platform", "variant", "seconds"),
    "P10": fault("a platform answers success and no rows", "zero_volume: platform", emptied, "platform", "seconds"),
    "P11": fault(
        "the probe loses sight of an entity or field", "not_visible: platform", blind, "platform", "entity", "field", "seconds",
    ),
    "P12": fault("a platform is swapped for its sandbox", "environment: platform", swapped, "platform", "seconds"),
}  # fmt: skip
