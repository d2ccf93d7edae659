"""The local search: never worse than its start, always a plan, the same every time."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import scale_of
from offloadasp.asp.rules import shipped_rules
from offloadasp.asp.solving import plan_of_model
from offloadasp.bounds import least_memory, lower_bound
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import simulate
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.annealing import Annealer
from offloadasp.search.anneal.arrangement import new_state, schedule_of, search_from
from offloadasp.search.anneal.evaluation import Purpose, evaluate
from offloadasp.search.anneal.improve import Improver, preparation, starts_of, units
from offloadasp.search.anneal.moves import Move, apply_move, undo_move
from offloadasp.search.anneal.numba_or_python import COMPILES
from offloadasp.search.anneal.state import State
from offloadasp.search.construct.candidate import Best, Candidate
from offloadasp.search.construct.fallback import careful_order
from offloadasp.search.construct.order import order_of
from offloadasp.search.construct.residency import Schedule, plan_of, schedule
from offloadasp.search.construct.shortlist import blockings
from offloadasp.search.construct.steps import steps_of_order
from offloadasp.search.construct.strips import even
from offloadasp.search.construct.traversal import ROW_BY_ROW, visits
from offloadasp.search.pool import Offer
from offloadasp.search.refute.refute import Refuter, ledger_of
from offloadasp.search.size_limits import GROUND_LIMIT, operations, within_reach
from offloadasp.search.source import Annealed, Constructed, EarlierFile
from tests.engines import exhaustive
from tests.search.test_residency import pixels_only, schedules
from tests.support.layers import accelerator, problem_with, problems, strategy_of, with_memory

SEEDS = st.integers(0, 2**31)


@st.composite
def starts(draw: st.DrawFn) -> tuple[Problem, Schedule]:
    """A problem of any kind and a schedule for it, of any kind that is constructed."""
    problem = draw(problems())
    order, step, residents = draw(schedules(problem))
    found = schedule(problem, order, step, residents)
    if found is None:
        problem = with_memory(problem, problem.all_bytes)
        found = schedule(problem, order, step, residents)
    assert found is not None
    return problem, found


def careful(problem: Problem) -> Schedule:
    """The plan for the least memory."""
    rows, columns = problem.tile_grid
    tiles = np.array([(i, j) for i in range(rows) for j in range(columns)])
    found = schedule(problem, *careful_order(problem, tiles), residents=0)
    assert found is not None
    return found


def flat(side: int, group: int, pixels: int) -> tuple[Problem, Schedule]:
    """One channel, one 3 × 3 kernel, and the plan of two column strips."""
    layer = Layer(input=(1, side, side), kernels=1, kernel_shape=(3, 3))
    whole = Resolved(kernel_groups=((0, 1),), channel_groups=((0, 1),))
    chip = accelerator(memory=pixels + 9, compute=1000, macs=9 * group)
    problem = problem_with(layer, chip, Precision(output=0), whole)
    strips = even(problem.tile_grid, 2, transposed=False)
    order = order_of(problem, visits(problem.tile_grid, strips), np.zeros(1, dtype=np.int64), "cnq")
    found = schedule(problem, order, steps_of_order(problem, order, group), residents=0)
    assert found is not None
    return problem, found


@settings(max_examples=48, deadline=None)
@given(starts(), SEEDS, st.integers(0, 300))
def test_the_result_is_a_plan_that_both_readings_accept_at_its_cost_and_no_worse_than_the_start(
    drawn: tuple[Problem, Schedule], seed: int, changes: int
) -> None:
    problem, start = drawn
    annealer = Annealer(problem, start, seed)
    annealer.run(changes)
    found = annealer.best
    assert found.cost == annealer.cost <= start.cost
    strategy = strategy_of(problem, plan_of(problem, found))
    verdict = read_by_rules(strategy, shipped_rules())
    assert verdict.violations == ()
    assert verdict.duration == found.cost * scale_of(problem).unit
    # It states no duration that could be right; everything else must be.
    replay = simulate(strategy)
    assert {violation.rule for violation in replay.violations} <= {"duration", "bound"}
    assert replay.duration == verdict.duration


@settings(max_examples=40, deadline=None)
@given(pixels_only())
def test_for_blocks_of_one_size_an_evaluation_costs_what_keeping_the_soonest_needed_costs(
    drawn: tuple[Problem, object, object],
) -> None:
    problem, order, step = drawn
    start = schedule(problem, order, step, residents=1)  # type: ignore[arg-type]
    if start is not None:
        search = search_from(problem, start, seed=0)
        assert search.cost == start.cost
        assert schedule_of(search).cost == start.cost


MOVES = st.sampled_from([int(move) for move in Move])


def can_flip(state: State) -> bool:
    """Whether there are blocks that may become resident."""
    return state.layer.blocks > state.layer.pixels


@settings(max_examples=32, deadline=None)
@given(starts(), SEEDS, st.lists(st.tuples(MOVES, st.booleans()), max_size=60))
def test_an_evaluation_of_the_steps_that_changed_agrees_with_one_of_all_steps(
    drawn: tuple[Problem, Schedule], seed: int, moves: list[tuple[int, bool]]
) -> None:
    problem, start = drawn
    state = search_from(problem, start, seed).state
    for move, accept in moves:
        if (move == Move.FLIP and not can_flip(state)) or not apply_move(state, move):
            continue
        cost = evaluate(state, Purpose.TRY)
        assert cost == evaluate(new_state(state.layer, state.arrangement), Purpose.TRY)
        if accept and cost >= 0:
            assert evaluate(state, Purpose.SAVE) == cost
        else:
            undo_move(state)


@settings(max_examples=24, deadline=None)
@given(starts(), SEEDS, MOVES)
def test_a_move_keeps_every_operation_and_undoing_it_keeps_everything(
    drawn: tuple[Problem, Schedule], seed: int, move: int
) -> None:
    problem, start = drawn
    state = search_from(problem, start, seed).state
    if move == Move.FLIP and not can_flip(state):
        return
    parts = (*state.arrangement, *state.positions)
    before = [list(part) for part in parts]
    if apply_move(state, move):
        assert sorted(state.arrangement.sequence) == list(range(state.layer.operations))
        bounds = list(state.arrangement.start)
        assert bounds == sorted(bounds)
        assert bounds[-1] == state.layer.operations
        noted = [list(part) for part in state.positions]
        fresh = new_state(state.layer, state.arrangement)
        assert [list(part) for part in fresh.positions] == noted
        undo_move(state)
    assert [list(part) for part in parts] == before


@settings(max_examples=15, deadline=None)
@given(starts(), SEEDS, st.lists(st.integers(0, 60), max_size=4))
def test_the_same_seed_and_number_of_changes_give_the_same_result_however_they_are_portioned(
    drawn: tuple[Problem, Schedule], seed: int, portions: list[int]
) -> None:
    problem, start = drawn
    whole, parts = (Annealer(problem, start, seed) for _ in range(2))
    whole.run(sum(portions))
    for portion in portions:
        parts.run(portion)
    assert whole.cost == parts.cost
    assert (whole.best.order.i == parts.best.order.i).all()
    assert (whole.best.step == parts.best.step).all()


def test_more_changes_are_never_worse() -> None:
    annealer = Annealer(*flat(7, 4, 20))
    costs = [annealer.cost]
    for _ in range(40):
        annealer.run(100)
        costs.append(annealer.cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]


TINY = {
    "partial sums that are worth spilling": (
        Layer(input=(4, 3, 3), kernels=1, kernel_shape=(2, 2)),
        Resolved(kernel_groups=((0, 1),), channel_groups=((0, 2), (2, 4))),
        Precision(output=1, partial_sum=1),
    ),
    "two kernel groups": (
        Layer(input=(1, 2, 4), kernels=2, kernel_shape=(2, 2)),
        Resolved(kernel_groups=((0, 1), (1, 2)), channel_groups=((0, 1),)),
        Precision(),
    ),
    "uneven kernel groups with a bias": (
        Layer(input=(1, 2, 4), kernels=3, kernel_shape=(2, 2), bias=True),
        Resolved(kernel_groups=((0, 2), (2, 3)), channel_groups=((0, 1),)),
        Precision(partial_sum=1),
    ),
    "stride and padding": (
        Layer(input=(1, 3, 4), kernels=1, kernel_shape=(2, 3), strides=(1, 2), pads=(0, 1, 1, 0)),
        Resolved(kernel_groups=((0, 1),), channel_groups=((0, 1),)),
        Precision(),
    ),
}


@pytest.mark.parametrize("more", [0, 2, 5])
@pytest.mark.parametrize("name", TINY)
def test_on_tiny_layers_it_finds_the_exhaustive_optimum_and_nothing_below(
    name: str, more: int
) -> None:
    layer, decomposition, precision = TINY[name]
    roomy = problem_with(layer, accelerator(compute=3, macs=24), precision, decomposition)
    problem = with_memory(roomy, least_memory(roomy).value + more)
    annealer = Annealer(problem, careful(problem))
    annealer.run(8000)
    least = exhaustive.optimal_duration(problem)
    assert least == annealer.cost * scale_of(problem).unit


def numbers(values: Any) -> list[int]:
    """All numbers of a state: of tuples, of arrays or lists, and of records or dataclasses."""
    if is_dataclass(values):
        values = vars(values).values()
    elif isinstance(values, np.record):
        values = values.item()
    elif isinstance(values, int | np.integer):
        return [int(values)]
    return [number for value in values for number in numbers(value)]


def trail() -> list[list[int]]:
    """What searches of several kinds of problems know in the end, number for number."""
    found = []
    for layer, decomposition, precision in TINY.values():
        roomy = problem_with(layer, accelerator(compute=3, macs=24), precision, decomposition)
        problem = with_memory(roomy, least_memory(roomy).value + 2)
        annealer = Annealer(problem, careful(problem), seed=5)
        annealer.run(1500)
        found.append(numbers((annealer._search.state, annealer._cooling)))
    annealer = Annealer(*flat(7, 4, 20), seed=5)
    annealer.run(1500)
    return [*found, numbers((annealer._search.state, annealer._cooling))]


@pytest.mark.skipif(not COMPILES, reason="numba is not installed")
def test_compiled_and_plain_the_search_is_the_same() -> None:
    plain = subprocess.run(
        [sys.executable, "-c", "import json, test_anneal; print(json.dumps(test_anneal.trail()))"],
        cwd=Path(__file__).parent,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(plain.stdout) == trail()


@pytest.mark.skipif(not COMPILES, reason="numba is not installed")
def test_numba_counts_no_references_which_would_make_the_search_ten_times_as_slow() -> None:
    assert evaluate.targetoptions["_nrt"] is False  # type: ignore[attr-defined]


def improver(side: int = 7, enough: int = 0) -> Improver:
    """The local search from a plan of two column strips, ready to go."""
    preparation().join()
    return Improver(Offer(plan_of(*flat(side, 4, 20)), EarlierFile()), 0, enough)


@dataclass
class Looked(Clock):
    """A clock on which a second passes with every look at it."""

    looks: int = 0

    @property
    def elapsed(self) -> float:
        self.looks += 1
        return float(self.looks)


def test_it_looks_at_the_clock_and_at_interruptions() -> None:
    search, clock = improver(), Clock()
    clock.interrupt()
    search.until(clock, 1.0, late=True)
    search.within(100, clock)
    assert search.best == search.start
    looked = Looked(8)
    search.until(looked, 0.5, late=True)
    assert looked.looks == 4


def test_it_ends_where_it_is_good_enough_or_has_no_hope_of_a_gain() -> None:
    search = improver()
    told: list[int] = []
    search.tell = told.append
    search.enough = search.cost - 1
    search.until(Clock(), 1.0)
    assert told
    assert told == sorted(told, reverse=True)
    assert told[-1] == search.cost == units(search.best.plan) <= search.enough
    assert search.best.source == Annealed(search.start.source)
    search = improver(side=4)  # it waits longer where there are more operations
    assert search.hopeful()
    search.until(clock := Clock(), 1.0)
    assert not search.hopeful()
    assert not clock.expired()


def test_beside_a_refutation_it_lowers_the_cost_to_beat_until_both_meet() -> None:
    search = improver()
    problem = search.problem
    bound = lower_bound(problem)
    ledger = ledger_of(problem, bound, operations(problem))
    told: list[tuple[int, int]] = []
    refuter = Refuter(
        shipped_rules(), problem, ledger, Clock(), ledger.base, search.cost,
        threads=2, seed=0, limit=GROUND_LIMIT, beside=search, tell=lambda *both: told.append(both),
    )  # fmt: skip
    refuter.run()
    # Seven steps, the kernel, and 51 pixels, which is proved to be the optimum.
    assert refuter.lower == refuter.upper == 7 * 1000 + 9 + 51
    assert told == sorted(told, key=lambda both: (both[0], -both[1]))
    if refuter.symbols is None:
        assert search.cost == refuter.upper
    else:
        plan = plan_of_model(problem, refuter.symbols)
        assert units(plan) == refuter.upper <= search.cost


def test_very_large_problems_and_costs_are_out_of_reach() -> None:
    problem, _ = flat(12, 4, 24)
    assert within_reach(problem)
    layer = Layer(input=(1, 112, 112), kernels=1, kernel_shape=(3, 3))
    assert not within_reach(
        problem_with(layer, problem.accelerator, problem.precision, problem.decomposition)
    )
    dear = accelerator(load=10**9, compute=Fraction(1, 10**9))
    assert not within_reach(
        problem_with(problem.layer, dear, problem.precision, problem.decomposition)
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 60), st.integers(0, 60))
def test_a_larger_budget_does_all_that_a_smaller_one_does(
    tried: list[int], budget: int, more: int
) -> None:
    problem, start = flat(6, 4, 20)
    _, blocking = next(blockings(problem))
    best = Best()
    for k, count in enumerate(sorted(tried)):
        better = replace(start, cost=1000 - k)
        best.add(Candidate.of(blocking, ROW_BY_ROW, better), count)

    def runs(budget: int) -> dict[int, int]:
        # As the search itself: a plan that is found later than the budget allows is not known.
        known = Best(history=[entry for entry in best.history if entry[0] <= budget])
        found = {}
        for offer, changes in starts_of(known, budget):
            assert isinstance(offer.source, Constructed)
            found[offer.source.tried] = changes
        return found

    few, many = runs(budget), runs(budget + more)
    assert all(many.get(count, 0) >= changes for count, changes in few.items())
