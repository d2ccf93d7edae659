"""Prices are linear in what a plan uses, and a plan uses what the simulator counts."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.judge.simulator import simulate
from offloadasp.model.objectives import OBJECTIVES, Counts, Prices, is_linear, prices_of
from offloadasp.model.problem import Problem
from tests.engines.plans import HABITS, random_plan, strategy_of
from tests.support.layers import RATES, problems

AMOUNTS = st.integers(0, 10**12)
COUNTS = st.builds(Counts, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
PRICES = st.builds(Prices, RATES, RATES, RATES, RATES)
SEEDS = st.integers(0, 2**32 - 1)


def test_a_plan_pays_for_bytes_and_actions_and_the_fixed_part_once() -> None:
    prices = Prices(Fraction(1, 2), Fraction(3), Fraction(100), Fraction(7))
    assert prices.of(Counts(loaded=8, written=5, actions=2, peak=999)) == 4 + 15 + 200 + 7


@given(PRICES, PRICES, RATES, COUNTS)
def test_a_weighted_sum_of_prices_is_paid_as_the_sum_of_both(
    own: Prices, other: Prices, weight: Fraction, counts: Counts
) -> None:
    assert own.plus(weight, other).of(counts) == own.of(counts) + weight * other.of(counts)


@settings(deadline=None, max_examples=150)
@given(problems(tiled=False), SEEDS, st.sampled_from(sorted(HABITS)))
def test_a_plan_uses_what_the_simulator_counts(problem: Problem, seed: int, habits: str) -> None:
    plan = random_plan(problem, seed, HABITS[habits])
    replay = simulate(strategy_of(problem, plan))
    assert plan.counts == Counts(
        loaded=replay.loads.total,
        written=replay.writes.total,
        actions=replay.compute_steps,
        peak=replay.peak_memory,
    )
    values = {
        name: objective.value(problem.instance, plan.counts)
        for name, objective in OBJECTIVES.items()
        if objective.defined(problem.instance)
    }
    assert values == replay.measured
    assert ("energy" in values) == (problem.instance.energy is not None)


@settings(deadline=None, max_examples=60)
@given(problems(tiled=False), SEEDS, PRICES)
def test_other_prices_change_the_cost_of_a_plan_and_not_its_duration(
    problem: Problem, seed: int, prices: Prices
) -> None:
    plan = random_plan(problem, seed)
    dear = random_plan(problem.at(prices), seed)
    assert plan.cost == plan.duration == dear.duration
    assert dear.cost == prices.of(plan.counts)


@given(problems())
def test_only_the_peak_of_memory_is_not_linear(problem: Problem) -> None:
    counts = Counts(loaded=3, written=5, actions=2, peak=17)
    for name, objective in OBJECTIVES.items():
        if not objective.defined(problem.instance):
            continue
        value = objective.value(problem.instance, counts)
        if is_linear(name):
            assert value == prices_of(name, problem.instance).of(counts)
        else:
            assert name == "peak_memory"
            assert value == 17
