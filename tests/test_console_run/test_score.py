"""Is what was said matched with what was true exactly: by kind, subject, money and time, and nothing forgiven?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.run.score.findings import Said
from console.run.score.matching import Patience, by_fault, match, overall, percentiles
from console.run.score.plan import OCCURRENCES, TIMES, UnknownFaultError, plan
from console.run.score.truths import Truth
from probes.clock import DAY, HOUR, MINUTE

PATIENCE = Patience(5 * MINUTE, 1 * MINUTE)
KEY = ("missing_in_target", "crm", "opportunity", "006A")
END = 10 * DAY


def truth(from_us: int, to_us: int | None = None, **more: object) -> Truth:
    return replace(Truth(1, "O01", KEY, "DE", 100_00, "EUR", from_us, to_us, from_us), **more)  # type: ignore[arg-type]


def said(
    from_us: int, to_us: int | None = None, money: int | None = 100_00, key: tuple[str, str, str, str] = KEY
) -> Said:
    return Said(key, from_us, money, "EUR" if money is not None else None, to_us)


def test_what_is_said_within_two_intervals_and_the_visibility_delay_is_in_time() -> None:
    (one,) = match([truth(DAY)], [said(DAY + 11 * MINUTE)], PATIENCE, END).matches
    assert (one.in_time, one.detect_us, one.money_exact) == (True, 11 * MINUTE, True)


def test_what_has_a_grace_may_be_said_within_it_and_has_to_be_said_at_its_end() -> None:
    wrong = truth(DAY, due_us=2 * DAY)
    early, late = (match([wrong], [said(at)], PATIENCE, END) for at in (DAY + HOUR, 2 * DAY + 5 * MINUTE))
    assert [r.matches[0].in_time for r in (early, late)] == [True, True]
    assert [r.false for r in (early, late)] == [[], []]
    assert match([truth(DAY, DAY + 20 * HOUR, due_us=2 * DAY)], [], PATIENCE, END).undecided == 1


def test_what_is_said_later_is_a_miss_but_not_false() -> None:
    result = match([truth(DAY)], [said(DAY + 12 * MINUTE)], PATIENCE, END)
    assert not result.matches[0].in_time
    assert result.false == []


def test_what_is_never_said_is_a_miss() -> None:
    (one,) = match([truth(DAY)], [], PATIENCE, END).matches
    assert (one.in_time, one.said) == (False, None)


def test_what_is_said_before_it_is_true_is_false() -> None:
    result = match([truth(DAY)], [said(DAY - MINUTE)], PATIENCE, END)
    assert [s.from_us for s in result.false] == [DAY - MINUTE]


def test_what_is_said_of_another_subject_or_kind_is_false() -> None:
    other = [said(DAY, key=("duplicate", *KEY[1:])), said(DAY, key=(*KEY[:3], "006B"))]
    result = match([truth(DAY)], other, PATIENCE, END)
    assert len(result.false) == 2
    assert overall(result) == {"recall": Fraction(0), "precision": Fraction(0)}


def test_money_is_exact_to_the_minor_unit_or_not_at_all() -> None:
    assert match([truth(DAY)], [said(DAY, money=100_01)], PATIENCE, END).matches[0].money_exact is False
    assert match([truth(DAY, money_minor=None)], [said(DAY, money=0)], PATIENCE, END).matches[0].money_exact is False
    assert match([truth(DAY, money_minor=None)], [said(DAY, money=None)], PATIENCE, END).matches[0].money_exact is True


def test_what_was_mended_before_it_had_to_be_said_counts_neither_way() -> None:
    result = match([truth(DAY, DAY + 5 * MINUTE)], [], PATIENCE, END)
    assert (result.matches, result.undecided) == ([], 1)


def test_what_became_true_just_before_the_end_counts_neither_way() -> None:
    assert match([truth(END - 5 * MINUTE)], [], PATIENCE, END).undecided == 1


def test_while_a_platform_cannot_be_read_patience_waits_for_its_return() -> None:
    down = truth(
        DAY - HOUR, DAY + HOUR, id=2, fault="P01", key=("platform_down", "erp", "platform", "erp"), money_minor=None
    )
    told = [said(DAY + HOUR + 10 * MINUTE), said(DAY - 55 * MINUTE, DAY + HOUR, None, down.key)]
    result = match([truth(DAY), down], told, PATIENCE, END)
    assert all(m.in_time for m in result.matches)


def test_a_repair_that_is_seen_ends_the_finding_and_one_that_is_not_is_counted() -> None:
    mended = truth(DAY, 2 * DAY)
    closing = by_fault(match([mended], [said(DAY, 2 * DAY + 10 * MINUTE)], PATIENCE, END), PATIENCE, END - DAY)
    assert (closing[0].close, closing[0].unclosed) == ((Fraction(2), Fraction(2)), 0)
    lasting = by_fault(match([mended], [said(DAY)], PATIENCE, END), PATIENCE, END - DAY)
    assert lasting[0].unclosed == 1


def test_a_false_finding_counts_against_the_fault_its_subject_suffers_from() -> None:
    result = match([truth(DAY)], [said(DAY), said(DAY, key=("duplicate", *KEY[1:]))], PATIENCE, END)
    (score,) = by_fault(result, PATIENCE, END)
    assert (score.recall, score.precision) == (Fraction(1), Fraction(1, 2))


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_order_of_what_was_true_and_said_does_not_matter(a: list[int], b: list[int]) -> None:
    true = [truth(n * DAY, n * DAY + HOUR, id=n) for n in range(6)]
    told = [said(n * DAY + n * 3 * MINUTE, n * DAY + HOUR + MINUTE) for n in range(6)]
    straight = match(true, told, PATIENCE, END)
    mixed = match([true[i] for i in a], sorted((told[i] for i in b), key=lambda s: s.from_us), PATIENCE, END)
    assert straight == mixed


def test_percentiles_are_interpolated_between_values() -> None:
    assert percentiles([]) is None
    assert percentiles([Fraction(4)]) == (Fraction(4), Fraction(4))
    assert percentiles([Fraction(n) for n in (4, 1, 3, 2)]) == (Fraction(5, 2), Fraction(397, 100))


def test_every_fault_happens_often_enough_and_outages_never_at_once() -> None:
    found = plan(["O01", "O02", "N01", "P01", "P03"], 3, 0, 20 * DAY, 5 * MINUTE)
    times = {fault: sum(i.fault == fault for i in found) for fault in ("O01", "O02", "N01", "P01", "P03")}
    assert times == {"O01": TIMES, "O02": TIMES, "N01": OCCURRENCES, "P01": TIMES, "P03": TIMES}
    outages = [(i.at_us, i.at_us + round(i.parameters["seconds"] * 1e6)) for i in found if i.fault.startswith("P")]
    assert all(end <= start for (_, end), (start, _) in pairwise(outages))
    assert any(i.parameters.get("late_seconds", 999) <= 300 for i in found)
    assert found == plan(["O01", "O02", "N01", "P01", "P03"], 3, 0, 20 * DAY, 5 * MINUTE)


def test_a_fault_the_sandbox_does_not_know_is_refused_with_those_it_does() -> None:
    with pytest.raises(UnknownFaultError, match=r"cannot inject Q99; it can: .*O01"):
        plan(["Q99"], 1, 0, 20 * DAY, MINUTE)


def test_too_short_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="give more days"):
        plan(["O01"], 1, 0, 2 * DAY, MINUTE)
