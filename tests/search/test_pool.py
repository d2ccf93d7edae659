"""A question leaves the instance alone; a pool keeps the best of what it is offered."""

from fractions import Fraction
from itertools import accumulate
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import lower_bound
from offloadasp.limits.clock import Clock
from offloadasp.model.objectives import TRAFFIC, prices_of
from offloadasp.model.plan import Plan
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Pool, Status
from offloadasp.search.question import Question
from offloadasp.search.run import search
from offloadasp.search.source import EarlierFile, LeastMemory, Refuted, Source
from tests.engines.plans import LEAN, MIXED, THRIFTY, random_plan
from tests.search.test_search import CASES, instance, least, question

ROOMY = instance(CASES["two channels"], least(CASES["two channels"]) + 40)
PLANS = st.builds(
    lambda seed, habits: random_plan(question(ROOMY).whole, seed, habits),
    st.integers(0, 2**32 - 1),
    st.sampled_from([LEAN, THRIFTY, MIXED]),
)
BOUNDS = st.fractions(0, 400, max_denominator=4)


def empty(asked: Question | None = None, target: Fraction | None = None) -> Pool:
    """A pool to which nothing was offered."""
    asked = asked or question(ROOMY)
    asked = Question(asked.rules, asked.whole, asked.problems, target)
    return Pool(asked, lower_bound(asked.whole))


@settings(deadline=None, max_examples=60)
@given(st.lists(PLANS, min_size=1, max_size=6))
def test_a_pool_keeps_the_first_of_the_cheapest_plans(plans: list[Plan]) -> None:
    pool, sources = empty(), list[Source]([EarlierFile(), Refuted(), LeastMemory()]) * 2
    taken = [pool.offer(plan, source) for plan, source in zip(plans, sources, strict=False)]
    costs = [plan.cost for plan in plans]
    first, cheapest = costs.index(min(costs)), list(accumulate(costs, min))[:-1]
    assert pool.found.plan is plans[first]
    assert pool.found.source is sources[first]
    assert pool.found.cost == costs[first]
    below = [True, *(cost < low for cost, low in zip(costs[1:], cheapest, strict=True))]
    assert taken == below


@given(st.lists(BOUNDS, max_size=6))
def test_a_pool_keeps_the_first_of_the_highest_bounds_and_what_proves_it(
    bounds: list[Fraction],
) -> None:
    pool = empty()
    analytic = pool.bound
    certificates: list[dict[str, Any]] = [{"number": k} for k in range(len(bounds))]
    for bound, certificate in zip(bounds, certificates, strict=True):
        pool.prove(bound, certificate)
    highest = max([analytic, *bounds])
    proof = dict(zip(reversed(bounds), reversed(certificates), strict=True))
    assert pool.bound == highest
    if highest == analytic:
        assert pool.certificate == pool.analytic.certificate
    else:
        assert pool.certificate is proof[highest]


@settings(deadline=None, max_examples=100)
@given(PLANS, st.lists(BOUNDS, max_size=3), st.none() | BOUNDS)
def test_a_pool_is_closed_once_bound_and_plan_meet_or_the_target_is_decided(
    plan: Plan, bounds: list[Fraction], target: Fraction | None
) -> None:
    pool = empty(target=target)
    for bound in bounds:
        pool.prove(bound, {})
    assert not pool.closed, "nothing was found yet"
    pool.offer(plan, Refuted())
    met = pool.bound >= plan.cost
    assert pool.closed == (met if target is None else plan.cost <= target or pool.bound > target)
    if target is None or target <= pool.analytic.value:
        assert pool.enough == pool.analytic.value
    else:
        assert pool.enough == target


@settings(deadline=None, max_examples=30)
@given(PLANS)
def test_a_plan_at_the_bound_closes_a_question_and_one_above_does_not(plan: Plan) -> None:
    pool = empty()
    assume(plan.cost - Fraction(1, 2) > pool.bound)
    pool.offer(plan, Refuted())
    pool.prove(plan.cost - Fraction(1, 2), {})
    assert not pool.closed
    pool.prove(plan.cost, {})
    assert pool.closed


@settings(deadline=None, max_examples=60)
@given(PLANS, PLANS, BOUNDS, BOUNDS)
def test_a_pool_takes_only_what_another_knows_better(
    mine: Plan, theirs: Plan, low: Fraction, high: Fraction
) -> None:
    pool, other = empty(), empty()
    pool.offer(mine, EarlierFile())
    pool.prove(low, {"of": "mine"})
    other.offer(theirs, Refuted())
    other.prove(high, {"of": "theirs"})
    other.baselines, other.unsearched = {"zigzag": theirs}, "too many rules"
    pool.take(other)
    better = theirs.cost < mine.cost
    assert pool.found.plan is (theirs if better else mine)
    assert (pool.baselines, pool.unsearched) == (
        ({"zigzag": theirs}, "too many rules") if better else ({}, None)
    )
    assert pool.bound == max(low, high, pool.analytic.value)


@given(st.lists(st.tuples(BOUNDS, BOUNDS), min_size=1, max_size=6))
def test_the_bounds_a_pool_tells_of_never_fall(news: list[tuple[Fraction, Fraction]]) -> None:
    pool, told = empty(), list[Status]()
    pool.tell = told.append
    for proved, in_progress in news:
        pool.prove(proved, {})
        pool.report(Fraction(500), "stage", in_progress)
    bounds = [status.bound for status in told]
    assert bounds == sorted(bounds)
    assert bounds[-1] == max(pool.analytic.value, *(max(pair) for pair in news))


@given(st.integers(1, 200))
def test_a_question_within_less_memory_leaves_the_instance_as_the_user_gave_it(
    capacity: int,
) -> None:
    asked = question(ROOMY)
    smaller = asked.within(capacity)
    for problem in (smaller.whole, *smaller.problems):
        assert problem.capacity == capacity
        assert problem.instance is ROOMY
        assert problem.resolved_instance().accelerator == ROOMY.accelerator
    assert {p.capacity for p in (asked.whole, *asked.problems)} == {ROOMY.accelerator.memory}
    assert (smaller.rules, smaller.target) == (asked.rules, asked.target)


def test_a_plan_for_less_memory_and_other_prices_is_one_for_the_instance() -> None:
    capacity = ROOMY.accelerator.memory - 30
    asked = question(ROOMY).within(capacity)
    prices = prices_of(TRAFFIC, ROOMY)
    asked = Question(
        asked.rules, asked.whole.at(prices), tuple(p.at(prices) for p in asked.problems)
    )
    plan = search(asked, Effort(Clock(), threads=1, budget=4)).found.plan
    assert plan.counts.peak <= capacity < ROOMY.accelerator.memory
    assert plan.problem.resolved_instance().accelerator == ROOMY.accelerator
    assert plan.cost == plan.counts.loaded + plan.counts.written
