"""The search finds what exhaustive search finds, proves no more than is true, and is monotone."""

from fractions import Fraction
from math import inf
from pathlib import Path
from threading import Event

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import offloadasp
from offloadasp import pipeline
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InfeasibleError, NoStrategyError
from offloadasp.base.resources import instances_folder
from offloadasp.bounds import least_macs, least_memory, lower_bound
from offloadasp.judge.simulator import simulate
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import (
    Instance,
    Layer,
    Precision,
    load_instance,
    parse_instance,
)
from offloadasp.model.objectives import DURATION, prices_of
from offloadasp.model.problem import problem_of
from offloadasp.search import baselines
from offloadasp.search import run as searching
from offloadasp.search.anneal.improve import preparation
from offloadasp.search.construct import decompose
from offloadasp.search.construct.construct import Constructor
from offloadasp.search.construct.decompose import decompositions, scope
from offloadasp.search.deterministic import LessMemory
from offloadasp.search.effort import Effort
from offloadasp.search.pool import Pool, Status
from offloadasp.search.question import Question, question_of
from offloadasp.search.run import search
from offloadasp.search.size_limits import fits, operations
from offloadasp.search.workers import Construct, fallback, fallback_costs
from tests.engines import exhaustive
from tests.support.layers import PRECISIONS, accelerator, layers

# Of all kinds, so that no part of the energy is left out.
ENERGY = {"load": "7/2", "write": 2, "mac": "1/4", "compute": 5, "static": "1/3"}
# Small enough for exhaustive search: few operations, few blocks. Fractions of a cycle, outputs
# wider than partial sums, kernel groups, channel groups, stride, padding and a bias take turns.
CASES: dict[str, dict[str, object]] = {
    "two rows": {"layer": {"input": [1, 4, 3], "kernels": 1, "kernel_shape": [2, 2]}},
    "stride and padding": {
        "layer": {
            "input": [1, 3, 4],
            "kernels": 1,
            "kernel_shape": [2, 3],
            "strides": [1, 2],
            "pads": [0, 1, 1, 0],
        }
    },
    "two kernels": {
        "layer": {"input": [1, 2, 4], "kernels": 2, "kernel_shape": [2, 2], "bias": True},
        "decomposition": {"kernel_groups": 2, "channel_groups": 1},
    },
    "two channels": {
        "layer": {"input": [2, 2, 4], "kernels": 1, "kernel_shape": [2, 2]},
        "decomposition": {"kernel_groups": 1, "channel_groups": 2},
    },
    "outputs wider than partial sums": {
        "layer": {"input": [2, 2, 3], "kernels": 1, "kernel_shape": [2, 2]},
        "precision": {"output": 5, "partial_sum": 2},
        "decomposition": {"kernel_groups": 1, "channel_groups": 2},
    },
    "depthwise": {
        "layer": {"input": [2, 2, 4], "kernels": 2, "kernel_shape": [2, 2], "group": 2},
    },
    "dilated": {
        "layer": {"input": [1, 3, 5], "kernels": 1, "kernel_shape": [2, 2], "dilations": [2, 1]}
    },
    "tiles": {
        "layer": {"input": [1, 3, 6], "kernels": 1, "kernel_shape": [2, 2]},
        "decomposition": {"tile": [2, 2]},
    },
}


def instance(case: dict[str, object], memory: int, **accelerator: object) -> Instance:
    rates = {"load_cycles": 1, "write_cycles": "1/2", "compute_cycles": 3, "macs_per_step": 16}
    chip = {"memory": memory, **rates, **accelerator}
    data = {"name": "case", "energy": ENERGY, **case, "accelerator": chip}
    return parse_instance(data, "case")


def least(case: dict[str, object]) -> int:
    given_ = instance(case, 1)
    return least_memory(problem_of(given_, scope(given_))).value


def question(given_: Instance) -> Question:
    """What the shortest duration is."""
    prices, memory = prices_of(DURATION, given_), given_.accelerator.memory
    return question_of(given_, shipped_rules(), prices, memory)


def solve(given_: Instance, budget: int | None = None, seconds: float = inf) -> Pool:
    return search(question(given_), Effort(Clock(seconds), threads=1, budget=budget))


@pytest.mark.parametrize("more", [0, 2, 5])
@pytest.mark.parametrize("name", CASES)
def test_the_proved_optimum_is_the_exhaustive_one(name: str, more: int) -> None:
    given_ = instance(CASES[name], least(CASES[name]) + more)
    pool = solve(given_)
    assert pool.found.cost == pool.bound
    assert pool.found.cost == exhaustive.optimal_duration(problem_of(given_, scope(given_)))


@pytest.mark.parametrize("name", CASES)
def test_one_byte_less_than_the_least_memory_is_refused_and_named(name: str) -> None:
    needed = least(CASES[name])
    given_ = instance(CASES[name], needed - 1)
    assert exhaustive.optimal_duration(problem_of(given_, scope(given_))) is None
    with pytest.raises(InfeasibleError, match=f"at least {needed} are needed"):
        question(given_)


def test_an_operation_too_large_for_a_step_is_refused_and_named() -> None:
    given_ = instance(CASES["two rows"], 100, macs_per_step=3)
    with pytest.raises(InfeasibleError, match="at least 4 are needed"):
        question(given_)


@pytest.mark.parametrize("name", ["two rows", "two kernels", "two channels", "depthwise"])
def test_more_memory_never_gives_a_longer_proved_optimum(name: str) -> None:
    start = least(CASES[name])
    optima = [solve(instance(CASES[name], start + more)).found.cost for more in range(0, 9, 2)]
    assert optima == sorted(optima, reverse=True)


@pytest.fixture(scope="module")
def compiled() -> None:
    """Compile the local search, which takes some seconds once on a machine, before a test of it."""
    preparation().join()


LAYERS = st.builds(
    lambda channels, kernels, height, width, kernel, pad, stride: {
        "layer": {
            "input": [channels, height, width],
            "kernels": kernels,
            "kernel_shape": [kernel, kernel],
            "pads": [pad, 0, 0, pad],
            "strides": [1, stride],
        }
    },
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(3, 7),
    st.integers(3, 7),
    st.integers(1, 3),
    st.integers(0, 1),
    st.integers(1, 2),
)


@pytest.mark.usefixtures("compiled")
@settings(max_examples=4, deadline=None)
@given(LAYERS, st.integers(0, 4), st.integers(1, 30))
def test_under_a_budget_more_memory_never_gives_a_longer_duration(
    case: dict[str, object], step: int, start: int
) -> None:
    sweep = [least(case) + start + k * (step + 1) * 3 for k in range(3)]
    durations = [solve(instance(case, memory), budget=20).found.cost for memory in sweep]
    assert durations == sorted(durations, reverse=True)


# The last one reaches the local search and, on small layers, the complete one.
BUDGETS = (1, 4, 16)


@pytest.mark.usefixtures("compiled")
@settings(max_examples=4, deadline=None)
@example(
    # The first free plan is shorter than those of a longer ranking.
    {
        "layer": {
            "input": [2, 3, 3],
            "kernels": 3,
            "kernel_shape": [1, 1],
            "pads": [0, 0, 0, 0],
            "strides": [1, 2],
        }
    },
    8,
)
@given(LAYERS, st.integers(0, 16))
def test_more_budget_never_gives_a_longer_duration(case: dict[str, object], more: int) -> None:
    given_ = instance(case, least(case) + more)
    durations = [solve(given_, budget).found.cost for budget in BUDGETS]
    assert durations == sorted(durations, reverse=True)


@settings(max_examples=16, deadline=None)
@given(LAYERS, st.integers(0, 80))
def test_every_reported_plan_is_accepted_by_both_readings(
    tmp_path_factory: pytest.TempPathFactory, case: dict[str, object], more: int
) -> None:
    given_ = instance(case, least(case) + more)
    out = tmp_path_factory.mktemp("out")
    result = pipeline.run(given_, shipped_rules(), Effort(Clock(0.3), threads=1), out)
    assert result.by_rules.accepted
    assert result.replay.verified
    assert result.by_rules.duration == result.replay.duration == result.strategy.duration
    assert result.strategy.lower_bound <= result.strategy.duration
    assert all(
        result.strategy.duration <= other.duration for other in result.answer.baselines.values()
    )


def test_the_scope_contains_every_decomposition_that_is_tried() -> None:
    given_ = instance({"layer": {"input": [3, 5, 5], "kernels": 5, "kernel_shape": [2, 2]}}, 60)
    whole = lower_bound(problem_of(given_, scope(given_))).value
    for decomposition in decompositions(given_):
        problem = problem_of(given_, decomposition)
        if least_memory(problem).value <= problem.memory:
            assert whole <= lower_bound(problem).value


SHIPPED = sorted(instances_folder().glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_however_short_the_time_a_shipped_layer_gets_a_verified_plan_and_every_baseline(
    path: Path, tmp_path: Path
) -> None:
    given_ = load_instance(path)
    result = pipeline.run(given_, shipped_rules(), Effort(Clock(1e-6), threads=1), tmp_path)
    assert result.by_rules.accepted
    assert result.replay.verified
    assert set(result.answer.baselines) == {"row_by_row", "zigzag", "strips"}
    assert all(
        result.strategy.duration <= other.duration for other in result.answer.baselines.values()
    )


@pytest.mark.parametrize("name", ["lenet5-conv1", "lenet5-conv2", "resnet8-stack1"])
def test_strips_beat_row_by_row_and_zigzag_where_order_matters(name: str) -> None:
    given_ = load_instance(instances_folder() / f"{name}.toml")
    asked = question(given_)
    pool = Pool(asked.within(asked.whole.memory), lower_bound(asked.whole))
    Construct().run(pool, Effort(Clock(evaluations=64), threads=1))
    naive = min(pool.baselines[name].duration for name in ("row_by_row", "zigzag"))
    assert pool.found.cost < naive * Fraction(95, 100)


@pytest.mark.parametrize("more", [0, 3, 9])
@pytest.mark.parametrize("name", CASES)
def test_what_a_budget_tells_holds_for_the_instance_and_never_gets_worse(
    name: str, more: int
) -> None:
    given_, told = instance(CASES[name], least(CASES[name]) + more), list[Status]()
    pool = search(question(given_), Effort(Clock(), threads=1, budget=8), told.append)
    optimum = exhaustive.optimal_duration(problem_of(given_, scope(given_)))
    values = [status.incumbent for status in told if status.incumbent is not None]
    bounds = [status.bound for status in told]
    assert values == sorted(values, reverse=True)
    assert bounds == sorted(bounds)
    assert optimum is not None
    assert max(bounds) <= optimum <= min(values)
    assert (values[-1], bounds[-1]) == (pool.found.cost, pool.bound)


def test_under_a_budget_a_plan_that_is_proved_optimal_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[int] = []

    def note(self: Construct, pool: Pool, effort: Effort) -> None:
        searched.append(pool.question.whole.memory)
        construct(self, pool, effort)

    construct = Construct.run
    monkeypatch.setattr(Construct, "run", note)
    # All fits at once, into one compute action: with the most memory the bound is met.
    case: dict[str, object] = {"layer": {"input": [2, 6, 6], "kernels": 3, "kernel_shape": [3, 3]}}
    assert solve(instance(case, 10_000, macs_per_step=10_000), budget=64).closed
    assert len(searched) == 1


def test_the_same_budget_and_seed_give_the_same_plan() -> None:
    given_ = instance({"layer": {"input": [2, 5, 5], "kernels": 3, "kernel_shape": [3, 3]}}, 60)
    first, second = (solve(given_, budget=30).found for _ in range(2))
    assert first.cost == second.cost
    assert (first.plan.compute == second.plan.compute).all()


def test_under_a_clock_plans_for_less_memory_count_as_well() -> None:
    case: dict[str, object] = {"layer": {"input": [2, 5, 6], "kernels": 2, "kernel_shape": [3, 3]}}
    asked = question(instance(case, 60, macs_per_step=108))
    pool = Pool(asked, lower_bound(asked.whole))
    poor = fallback(asked)
    pool.offer(poor.plan, poor.source)
    LessMemory().run(pool, Effort(Clock(evaluations=400)))
    assert pool.found.cost < poor.cost
    assert pool.found.plan.problem.memory == asked.whole.memory
    # Which plan it is does not matter; what a memory below gives is not lost.
    below = question(instance(case, 59, macs_per_step=108))
    other = Pool(below, lower_bound(below.whole))
    Construct().run(other, Effort(Clock(evaluations=400)))
    assert pool.found.cost <= other.found.cost


def test_where_no_usual_decomposition_fits_some_between_them_and_the_finest_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decompose, "_PAIRS_LIMIT", 4)
    case: dict[str, object] = {
        "layer": {"input": [16, 1, 1], "kernels": 16, "kernel_shape": [1, 1]}
    }
    given_ = instance(case, 48)
    prices, memory = prices_of(DURATION, given_), given_.accelerator.memory
    found = question_of(given_, shipped_rules(), prices, memory, most=100).problems
    assert found
    assert all(fits(problem) and 4 < operations(problem) <= 100 for problem in found)


@pytest.mark.parametrize("event", ["stop", "full"])
def test_ctrl_c_and_a_full_memory_end_the_bounds_of_a_large_layer(
    monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    begun, over = Event(), Event()
    clock = Clock()

    def endless(_: object) -> None:
        begun.set()
        getattr(clock, event).set()
        over.wait()

    monkeypatch.setattr(searching, "lower_bound", endless)
    asked = question(instance(CASES["two rows"], 50))
    with pytest.raises(NoStrategyError):
        search(asked, Effort(clock))
    assert begun.is_set()
    over.set()


def test_plans_on_the_way_are_known_without_their_schedules_which_can_be_made_again() -> None:
    asked = question(instance(CASES["depthwise"], 60))
    best = Constructor(asked.problems, Clock(evaluations=100), 0).run()
    assert best.history
    for _, candidate in best.history:
        assert "schedule" not in vars(candidate)
        assert candidate.schedule.cost == candidate.cost


@given(layers(), PRECISIONS, st.integers(0, 9), st.integers(0, 2))
@example(
    Layer(
        input=(2, 5, 5),
        kernels=2,
        kernel_shape=(3, 3),
        strides=(3, 1),
        pads=(0, 2, 0, 1),
        dilations=(1, 2),
    ),
    Precision(output=5, partial_sum=30),
    13,
    0,
)
@settings(max_examples=40, deadline=None)
def test_the_last_resort_is_a_valid_plan_wherever_there_is_one(
    layer: Layer, precision: Precision, memory: int, macs: int
) -> None:
    def drawn(memory: int, macs: int) -> Instance:
        chip = accelerator(memory=memory, load=1, write=1, compute=2, macs=macs)
        return Instance(name="drawn", layer=layer, accelerator=chip, precision=precision)

    least_work = least_macs(problem_of(drawn(1, 1), scope(drawn(1, 1)))).value
    tight = drawn(1, least_work + macs)
    tight = drawn(least_memory(problem_of(tight, scope(tight))).value + memory, least_work + macs)
    plan = fallback(question(tight)).plan
    assert simulate(baselines.strategy_of(plan)).verified
    assert fallback_costs(question(tight)) <= plan.cost


@pytest.mark.parametrize(("known", "made"), [(None, True), (10**9, True), (0, False)])
def test_the_last_resort_is_not_made_where_it_must_cost_more_than_a_known_plan(
    known: int | None, made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Constructor, "run", lambda self: self.best)  # no traversal fits
    asked = question(instance(CASES["two rows"], 60))
    pool = Pool(asked, lower_bound(asked.whole))
    cost = None if known is None else Fraction(known)
    Construct(cost).run(pool, Effort(Clock(evaluations=64), threads=1))
    assert (pool.best is not None) == made


RARE = ("1/999999937", "1/999999929", 10**9)


@pytest.mark.parametrize("objective", ["duration", "traffic", "energy,traffic"])
def test_rates_of_more_than_64_bits_are_planned_for(objective: str) -> None:
    load, write, compute = RARE
    rates = {"load_cycles": load, "write_cycles": write, "compute_cycles": compute}
    energy = {"load": load, "write": "1/3", "static": "7/5"}
    described = instance({**CASES["two rows"], "energy": energy}, 12, **rates)
    result = offloadasp.solve(described, objective=objective, budget=2)
    assert result.lower_bound <= result.duration
