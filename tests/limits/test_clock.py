"""The clock of a search: what it leaves to what follows."""

import time

from offloadasp.limits.clock import Clock


def test_the_search_ends_earlier_by_what_is_kept() -> None:
    clock = Clock(100.0, started=time.monotonic() - 70.0)
    assert not clock.expired()
    clock.keep(40.0, 0.0)
    assert clock.expired()
    assert not clock.spend()


def test_half_of_the_limit_stays_for_the_search() -> None:
    clock = Clock(100.0, started=time.monotonic() - 40.0)
    clock.keep(1e9, 0.0)
    assert clock.searching == 50.0
    assert not clock.expired()


def test_what_is_kept_last_counts() -> None:
    clock = Clock(100.0)
    clock.keep(40.0, 0.0)
    clock.keep(10.0, 0.0)
    assert clock.searching == 90.0


def test_effort_that_is_counted_is_none_of_time() -> None:
    clock = Clock(evaluations=3)
    clock.keep(1e9, 0.0)
    assert [clock.spend() for _ in range(4)] == [True, True, True, False]


def test_a_plan_may_be_verified_for_a_little_longer_than_is_kept_for_it() -> None:
    clock = Clock(10.0)
    clock.keep(1e9, 0.0)
    assert clock.kept < clock.verifying < clock.kept + 3.0
    assert Clock(evaluations=3).verifying == float("inf")
