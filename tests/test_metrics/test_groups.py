"""Is a group's difference explained by the members that make it, only where no others could, and in bounded time?"""

from __future__ import annotations

import random
import time
from itertools import combinations

from metrics.groups import Explanation, explain


def every_set(difference: int, amounts: list[int]) -> Explanation:
    """Return the answer found by trying all sets of at most three."""
    sets = [
        chosen
        for size in (1, 2, 3)
        for chosen in combinations(range(len(amounts)), size)
        if sum(amounts[i] for i in chosen) == difference
    ]
    return Explanation(sets[0]) if len(sets) == 1 else Explanation(several=len(sets) > 1)


def test_a_difference_is_explained_as_by_trying_every_set() -> None:
    rng = random.Random(7)
    for _ in range(1_500):
        amounts = [rng.randint(-6, 12) for _ in range(rng.randint(0, 7))]
        difference = rng.randint(-8, 20)
        assert explain(difference, amounts) == every_set(difference, amounts), (difference, amounts)


def test_two_members_of_the_same_amount_explain_nothing_and_it_says_so() -> None:
    assert explain(500, [500, 120, 500]) == Explanation(several=True)
    assert explain(500, [120, 500, 130]) == Explanation((1,))
    assert explain(501, [120, 500, 130]) == Explanation()


def test_ten_thousand_members_are_explained_within_seconds() -> None:
    rng = random.Random(7)
    amounts = [rng.randint(-(10**12), 10**12) for _ in range(10_000)]
    amounts[17] = 10**14 + 1
    started = time.process_time()
    assert explain(amounts[17] + amounts[4_711] + amounts[9_999], amounts) == Explanation((17, 4_711, 9_999))
    assert time.process_time() - started < 20
