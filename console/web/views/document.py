"""One document: what happened to it on every platform, what was due, what was decided about it and what proves that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from console.web import charts, formats
from console.web.context import Console
from console.web.data import ask
from console.web.frame import View, param, show
from console.web.pages import Page, path
from console.web.rows import break_row, exception_row, target
from console.web.widgets import empty, heading, number, state_badge, table
from metrics.queries.documents import Document, document
from metrics.queries.flows import STUCK

PAGE = Page("Document", "description", 80, listed=False)


def render(console: Console, view: View) -> None:
    """Show the page."""
    platform, kind, external_id = param("of"), param("kind"), param("id")
    found = ask(
        console,
        ("document", platform, kind, external_id, view.shown_us, view.past_us),
        lambda c: document(c, platform, kind, external_id, view.shown_us, view.past),
    )
    if found is None:
        then = "It did not exist then, or no poll has shown it." if view.past else "No poll has shown it."
        heading("No such document", f"{then} Search for any of its keys in the sidebar.", view)
        return
    head = found.head
    heading(
        f"{formats.words(head.kind).capitalize()} {formats.plain(head.label)}",
        f"on **{formats.md(head.platform)}**",
        view,
    )
    _summary(console, view, found)
    for instance, steps in found.flows:
        _standing(console, view, instance, steps)
    _timeline(console, view, found)
    facts, verdicts, links, history = st.tabs(
        ["Flows and verdicts", "Differences and exceptions", "References", "Record and history"]
    )
    with facts:
        _flows(console, view, found)
        _verdicts(console, view, found)
        _asked(view, found)
    with verdicts:
        _breaks(console, view, found)
    with links:
        _references(console, view, found)
    with history:
        _record(view, found)


def _summary(console: Console, view: View, found: Document) -> None:
    head = found.head
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if head.status is not None:
            unmapped = "" if head.state else " (not mapped: blind)"
            st.markdown(f"status **{formats.md(head.status)}**{unmapped}", width="content")
        if head.amount_minor is not None:
            st.markdown(f"**{formats.md(formats.money(head.amount_minor, head.currency))}**", width="content")
        if head.customer_id is not None:
            name = formats.md(head.customer_name or "customer not seen yet")
            number(name, path("customer"), view.link(customer=head.customer_id))
        if head.entity:
            st.markdown(f"entity **{formats.md(head.entity)}**", width="content")
        if link := console.model.link(head.platform, head.kind, head.external_id):
            st.link_button(f"Open in {formats.md(head.platform)}", link, icon=":material/open_in_new:")
    notes = [w for w, so in (("test record", head.test), ("deleted there", head.deleted_us is not None)) if so]
    notes += [f"not handed over: {formats.md(formats.words(head.exempt))}"] if head.exempt else []
    st.caption(
        " · ".join(
            [
                f"id {formats.md(head.external_id)}",
                f"last observed {view.ago(head.observed_us)}",
                formats.plural(head.version_count, "version"),
                f"digest {head.digest[:16]}",
                *notes,
            ]
        )
    )


def _standing(console: Console, view: View, instance: Any, steps: Sequence[Any]) -> None:
    """Say in one line where the document stands on a flow: what it waits for, since when, what that is worth, whose it is."""
    flow = console.model.flows.get(instance.flow)
    waits = _first_missing(flow, steps)
    told = [f"**{formats.md(flow.title if flow else formats.words(instance.flow))}**"]
    if waits is not None and flow is not None:
        told[0] += f": {_WAITS.get(waits.state, 'waits for')} **{formats.md(flow.step(waits.step).title)}**"
        if waits.due_us is not None:
            told.append(f"due **{view.instant(waits.due_us)}** ({view.ago(waits.due_us)})")
    if instance.risk_minor and instance.state in STUCK:
        told.append(f"**{formats.md(formats.money(instance.risk_minor, instance.currency))}** at risk")
    told += [formats.md(formats.words(instance.reason))] if instance.reason else []
    if flow and flow.owner and instance.state in STUCK:
        told.append(f"owner **{formats.md(flow.owner)}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(instance.state)
        st.markdown(" · ".join(told), width="content")


_WAITS = {"late": "late at", "lost": "never reached", "blind": "cannot be seen at", "duplicate": "more than once at"}


def _first_missing(flow: Any, steps: Sequence[Any]) -> Any:
    """Return the step a document waits for: the worst one, else the one due first; None when all is done."""
    open_steps = [s for s in steps if s.state in (*_WAITS, "waiting", "confirming") and flow is not None]
    order = ("lost", "late", "duplicate", "blind", "confirming", "waiting")
    return min(open_steps, key=lambda s: (order.index(s.state), s.due_us is None, s.due_us or 0), default=None)


def _titles(console: Console, found: Document) -> dict[str, str]:
    flows = [flow for i, _ in found.flows if (flow := console.model.flows.get(i.flow))]
    return {s.name: s.title for flow in flows for s in flow.steps}


def _lanes(console: Console, found: Document) -> list[str]:
    """Return the platforms on which this document is awaited, which may not have shown anything of it."""
    flows = {i.flow: flow for i, _ in found.flows if (flow := console.model.flows.get(i.flow))}
    waited = [
        (flows[i.flow], s.step) for i, steps in found.flows if i.flow in flows for s in steps if s.record_id is None
    ]
    paths = [flow.step(step).path for flow, step in waited]
    return [p for found_over in paths if found_over for p in console.model.with_role(found_over[-1].role)]


def _timeline(console: Console, view: View, found: Document) -> None:
    st.subheader("What happened, across platforms", anchor=False)
    if not found.timeline:
        empty("No milestone is known of this record or of what it hangs together with.")
        return
    ground = charts.Ground(view.dark, view.zone)
    st.plotly_chart(
        charts.timeline(found.timeline, view.shown_us, ground, _titles(console, found), _lanes(console, found)),
        key="timeline",
        config={"displaylogo": False},
        alt="Milestones on each platform in order, with deadlines",
    )
    titles = _titles(console, found)
    rows = [_moment(console, m, titles) for m in found.timeline]
    table(
        rows,
        key="moments",
        view=view,
        seconds=True,
        states=("State",),
        times=("From", "At"),
        links={"link": "open there"},
        hidden=("head",),
        opens=lambda r: target(view, r["head"]),
    )


def _moment(console: Console, m: Any, titles: Mapping[str, str]) -> dict[str, Any]:
    late = (
        None
        if m.late_us is None
        else f"{formats.duration(abs(m.late_us))} {'after' if m.late_us > 0 else 'before'} its deadline"
    )
    head = m.record
    return {
        "At": m.latest_us,
        "From": m.at_us if m.at_us != m.latest_us else None,
        "State": m.state,
        "What": f"{titles.get(m.what, formats.words(m.what))} due" if m.how == "deadline" else formats.words(m.what),
        "Platform": m.platform,
        "Record": f"{formats.words(m.kind)} {m.label}" if m.kind else m.label,
        "Lateness": late,
        "Known by": m.how,
        "Digest": head.digest[:16] if head else None,
        "link": console.model.link(head.platform, head.kind, head.external_id) if head else None,
        "head": head,
    }


def _flows(console: Console, view: View, found: Document) -> None:
    st.markdown("**On these flows**")
    if not found.flows:
        empty("This record is on no flow.")
    for instance, steps in found.flows:
        flow = console.model.flows.get(instance.flow)
        order = [s.name for s in flow.steps] if flow else []
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                state_badge(instance.state)
                title = formats.md(flow.title if flow else formats.words(instance.flow))
                entity = f", {formats.md(instance.entity)}" if instance.entity else ""
                number(
                    f"**{title}**{entity}, revision {instance.revision}", path("flow"), view.link(flow=instance.flow)
                )
                told = [formats.md(formats.words(instance.reason))] if instance.reason else []
                told += (
                    [f"at risk {formats.md(formats.money(instance.risk_minor, instance.currency))}"]
                    if instance.risk_minor
                    else []
                )
                if told:
                    st.markdown(" · ".join(told), width="content")
            rows = [
                _step(flow, s)
                for s in sorted(steps, key=lambda s: order.index(s.step) if s.step in order else len(order))
            ]
            table(
                rows,
                key=f"steps-{instance.flow}-{instance.anchor_id}-{instance.revision}-{instance.entity}",
                view=view,
                states=("State",),
                times=("Happened", "Due"),
            )


def _step(flow: Any, step: Any) -> dict[str, Any]:
    titles = {s.name: s.title for s in flow.steps} if flow else {}
    late = step.latest_us - step.due_us if step.latest_us is not None and step.due_us is not None else None
    return {
        "Step": titles.get(step.step, step.step),
        "State": step.state,
        "Happened": step.latest_us,
        "Due": step.due_us,
        "Took": formats.duration(step.elapsed_us),
        "Against deadline": None
        if late is None
        else f"{formats.duration(abs(late))} {'late' if late > 0 else 'early'}",
        "Records": step.count,
    }


def _verdicts(console: Console, view: View, found: Document) -> None:
    st.markdown("**Verdicts of the SLIs**")
    if not found.verdicts:
        empty("No SLI has judged this record.")
        return
    rows = [
        {
            "SLI": console.model.slis[v.sli].title if v.sli in console.model.slis else v.sli,
            "Outcome": v.outcome,
            "Reason": formats.words(v.reason or ("in time" if v.outcome == "good" else "")),
            "Subject": v.anchor.label if v.anchor else None,
            "Revision": v.revision,
            "Start": v.start_us,
            "Due": v.due_us,
            "Decided": v.at_us,
            "Took": formats.duration(v.value_us),
            "Money": formats.money(v.money_minor, v.currency),
            "Proven by": v.proof.label if v.proof else None,
            "Digest of proof": v.proof.digest[:16] if v.proof else None,
            "Corrected": v.corrected_us,
            "proof": v.proof or v.anchor,
        }
        for v in found.verdicts
    ]
    table(
        rows,
        key="verdicts",
        view=view,
        states=("Outcome",),
        times=("Start", "Due", "Decided", "Corrected"),
        hidden=("proof",),
        opens=lambda r: target(view, r["proof"]),
    )


def _asked(view: View, found: Document) -> None:
    if found.asked:
        st.markdown("**Asked for directly, and not found**")
        rows = [{"Platform": a.platform, "Stream": a.stream, "Asked": a.asked_us, "Under": a.keys} for a in found.asked]
        table(rows, key="asked", view=view, times=("Asked",))


def _breaks(console: Console, view: View, found: Document) -> None:
    if not found.breaks and not found.exceptions:
        empty("The platforms agree on this record, and nothing about it waits for a person.")
    table(
        [break_row(view, b) for b in found.breaks],
        key="breaks",
        view=view,
        states=("State",),
        times=("Since", "Closed"),
        hidden=("head", "other"),
        opens=lambda r: target(view, r["other"] or r["head"]),
    )
    table(
        [exception_row(view, t) for t in found.exceptions],
        key="exceptions",
        view=view,
        states=("State",),
        times=("Since", "Closed"),
        hidden=("head",),
    )


def _references(console: Console, view: View, found: Document) -> None:
    if not found.references:
        empty("It names no other record, and none names it.")
        return
    rows = [
        {
            "Direction": "names" if n.outgoing else "is named by",
            "Kind": formats.words(n.kind),
            "Record": f"{formats.words(n.other.kind)} {n.other.label}" if n.other else "not seen yet",
            "Platform": n.other.platform if n.other else None,
            "Status": n.other.status if n.other else None,
            "Amount": formats.money(n.amount_minor, n.currency),
            "Key": n.to_key,
            "Digest": n.other.digest[:16] if n.other else None,
            "head": n.other,
        }
        for n in found.references
    ]
    table(rows, key="references", view=view, hidden=("head",), opens=lambda r: target(view, r["head"]))


def _record(view: View, found: Document) -> None:
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown("**As last observed**")
        table([{"Field": k, "Value": v} for k, v in found.fields.items()], key="fields", view=view)
    with right:
        st.markdown("**Versions**")
        table(_versions(found.versions), key="versions", view=view, times=("Observed", "Changed there"))


def _versions(versions: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "Observed": v.observed_us,
            "Changed there": v.order_us,
            "By": f"{v.actor} ({v.actor_kind})" if v.actor else None,
            "What": "; ".join(f"{c.field}: {c.before or '–'} → {c.after or '–'}" for c in v.changes)
            or "first observed",
            "Digest": v.digest[:16],
        }
        for v in versions
    ]


if __name__ == "__main__":
    show("document", render)
