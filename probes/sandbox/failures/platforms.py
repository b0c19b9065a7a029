"""How do the platforms themselves fail? Down, limited, blind; the APIs read these conditions at every request."""

from probes.sandbox.entities import BY_CODE
from probes.sandbox.failures.spec import Fault, Given, fault, one_of
from probes.sandbox.journal import Entry
from probes.sandbox.world import Row, World

_PLATFORMS = ("salesforce", "stripe", "netsuite", "zendesk", "rabbitmq")
_DOWN = ("503", "500", "502", "cut", "timeout")


def down(world: World, key: str, given: Given) -> None:
    """P01."""
    rng = world.rng("down", key)
    name = one_of("platform", given.get("platform") or rng.choice(_PLATFORMS[:4]), _PLATFORMS)
    variant = one_of("variant", str(given.get("variant") or rng.choice(_DOWN[:1] + _DOWN[3:])), _DOWN)
    condition: Row = {"kind": "down", "variant": variant, "hang_seconds": float(given.get("hang_seconds", 30))}
    _ail(world, "P01", name, condition, "platform_down", f"answers {variant}", given)


def limited(world: World, key: str, given: Given) -> None:
    """P03."""
    limited_platforms = ("salesforce", "stripe", "netsuite", "zendesk")
    rng = world.rng("limited", key)
    variant = one_of("variant", str(given.get("variant") or "429"), ("429", "quota"))
    if variant == "quota":
        one_of("platform", given.get("platform", "salesforce"), ("salesforce",))
        condition: Row = {"kind": "quota", "used": 90_000, "per_call": 50}
        _ail(
            world,
            "P03",
            "salesforce",
            condition,
            "quota_exhausting",
            "somebody else uses up the daily allowance",
            given,
        )
        return
    name = one_of("platform", given.get("platform") or rng.choice(limited_platforms), limited_platforms)
    condition = {"kind": "rate_limited"} | ({"remaining": int(given["calls"])} if "calls" in given else {})
    _ail(world, "P03", name, condition, "rate_limited", "refuses calls over its limit", given)


def blind(world: World, key: str, given: Given) -> None:
    """P11: an entity (default NW-US in the ERP), or a field as `Object.field`."""
    name = one_of("platform", given.get("platform", "netsuite"), ("salesforce", "stripe", "netsuite"))
    if "field" in given:
        condition: Row = {"kind": "blind", "field": str(given["field"])}
        if str(given["field"]).count(".") != 1:
            raise ValueError("field must read Object.field, for instance transaction.foreigntotal")
        note = f"cannot see {given['field']}"
    else:
        entity = one_of("entity", given.get("entity", "NW-US"), tuple(BY_CODE))
        condition, note = {"kind": "blind", "entity": entity}, f"cannot see {entity}"
    _ail(world, "P11", name, condition, "not_visible", note, given)


def _ail(world: World, fault: str, platform: str, condition: Row, kind: str, note: str, given: Given) -> Entry:
    world.conditions[platform].append(condition)
    entry = world.journal.write(
        kind, (platform, "platform", platform), fault=fault, money_minor=None, currency=None, started_us=world.now_us,
        due_us=None, true_from_us=world.now_us, entity=condition.get("entity"), note=note,
    )  # fmt: skip

    def mend() -> None:
        if condition in world.conditions[platform]:
            world.conditions[platform].remove(condition)

    def end() -> None:
        if world.repairs.pop(entry.id, None) is not None:
            mend()
            world.journal.repaired(entry.id, world.now_us)

    world.repairs[entry.id] = mend
    if "seconds" in given:
        world.after(float(given["seconds"]), end)
    return entry


FAULTS: dict[str, Fault] = {
    "P01": fault("a platform is down", "platform_down: platform", down, "platform", "variant", "seconds", "hang_seconds"),
    "P03": fault(
        "calls are refused or a quota runs out", "rate_limited or quota_exhausting: platform", limited,
        "platform", "variant", "seconds", "calls",
    ),
    "P11": fault(
        "the probe loses sight of an entity or field", "not_visible: platform", blind, "platform", "entity", "field", "seconds",
    ),
}  # fmt: skip
