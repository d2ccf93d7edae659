"""Keeping what is needed soonest is optimal for blocks of one size, and always a valid plan."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import scale_of
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.arrays import IntArray
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from offloadasp.search.answer import Answer
from offloadasp.search.construct.order import NESTS, Order, order_of
from offloadasp.search.construct.residency import Schedule, plan_of, schedule
from offloadasp.search.construct.steps import steps_of_order
from offloadasp.search.construct.strips import evens
from offloadasp.search.construct.traversal import ROW_BY_ROW, ZIGZAG, visits
from offloadasp.search.source import LeastMemory
from tests.support.layers import (
    accelerator,
    problem_with,
    problems,
    splits,
    strategy_of,
    with_memory,
)

GAP_LIMIT = 14
Uses = dict[tuple[int, int], list[int]]  # the steps that use a pixel


@st.composite
def walks(draw: st.DrawFn, problem: Problem) -> IntArray:
    """The tiles of a problem in an order: a traversal, or any permutation."""
    grid = problem.tile_grid
    if draw(st.booleans()):
        return visits(grid, draw(st.sampled_from([ROW_BY_ROW, ZIGZAG, *evens(grid)])))
    tiles = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
    return np.array(draw(st.permutations(tiles)), dtype=np.int64)


# Outputs and kernels of layers whose patches overlap, small enough that all can be tried.
OVERLAPPING = [
    ((1, 4), (1, 3)),
    ((1, 5), (1, 2)),
    ((1, 6), (1, 2)),
    ((2, 2), (2, 2)),
    ((2, 3), (1, 2)),
    ((2, 3), (2, 2)),
    ((3, 2), (2, 1)),
    ((3, 3), (1, 2)),
]


@st.composite
def pixels_only(draw: st.DrawFn) -> tuple[Problem, Order, IntArray]:
    """One kernel block and one channel group: only pixels come and go. In any order, any steps."""
    out, kernel_shape = draw(st.sampled_from(OVERLAPPING))
    pads = draw(st.tuples(*[st.integers(0, 1)] * 4))
    dilations = draw(st.tuples(*[st.sampled_from([1, 1, 2])] * 2))
    height, width = (
        max(1, out[a] + dilations[a] * (kernel_shape[a] - 1) - pads[a] - pads[2 + a])
        for a in (0, 1)
    )
    layer = Layer(
        input=(draw(st.integers(1, 2)), height, width),
        kernels=draw(st.integers(1, 2)),
        kernel_shape=kernel_shape,
        pads=pads,
        dilations=dilations,
        bias=draw(st.booleans()),
    )
    whole = Resolved(kernel_groups=((0, layer.kernels),), channel_groups=((0, layer.input[0]),))
    precision = Precision(
        input=draw(st.integers(1, 3)),
        output=draw(st.integers(0, 2)),
        partial_sum=draw(st.integers(1, 3)),
    )
    rate = st.integers(0, 3)
    chip = accelerator(load=draw(rate), write=draw(rate), compute=draw(rate))
    problem = problem_with(layer, chip, precision, whole)
    tiles = draw(walks(problem))
    order = order_of(problem, tiles, np.zeros(1, dtype=np.int64), "cnq")
    return problem, order, steps_of_order(problem, order, draw(st.sampled_from([1, 1, 2, 3])))


def uses_of(problem: Problem, order: Order, step: IntArray) -> Uses:
    """The steps that use each pixel, by the definition of a patch."""
    layer = problem.layer
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for i, j, t in zip(order.i.tolist(), order.j.tolist(), step.tolist(), strict=True):
        for u in range(layer.kernel_shape[0]):
            for v in range(layer.kernel_shape[1]):
                r = i * layer.strides[0] + u * layer.dilations[0] - layer.pads[0]
                c = j * layer.strides[1] + v * layer.dilations[1] - layer.pads[1]
                if 0 <= r < layer.input[1] and 0 <= c < layer.input[2]:
                    found[r, c].add(t)
    return {pixel: sorted(steps) for pixel, steps in found.items()}


def gaps_of(uses: Uses) -> list[range]:
    """For every two consecutive uses of a pixel, the steps between them, where there are any."""
    gaps = [range(a + 1, b) for steps in uses.values() for a, b in pairwise(steps)]
    return [gap for gap in gaps if gap]


def subsets(gaps: list[range]) -> Iterator[tuple[range, ...]]:
    for size in range(len(gaps), -1, -1):
        yield from combinations(gaps, size)


def busy_bytes(problem: Problem, step: IntArray, uses: Uses) -> IntArray:
    """Bytes in each step of the kernel block, the outputs computed and the pixels used."""
    operations = np.bincount(step).astype(np.int64)
    busy = operations * int(problem.output_bytes[0]) + int(problem.kernel_bytes[0, 0])
    busy[0] = 0
    for steps in uses.values():
        busy[steps] += int(problem.pixel_bytes[0])
    return busy


def least_cost(problem: Problem, order: Order, step: IntArray) -> int | None:
    """The least cost over all sets of gaps over which pixels could be kept."""
    uses = uses_of(problem, order, step)
    gaps = gaps_of(uses)
    busy, pixel = busy_bytes(problem, step, uses), int(problem.pixel_bytes[0])
    scale = scale_of(problem)
    for kept in subsets(gaps):
        held = busy.copy()
        for gap in kept:
            held[gap.start : gap.stop] += pixel
        if held.max() <= problem.capacity:
            loaded = (len(uses) + len(gaps) - len(kept)) * pixel + int(problem.kernel_bytes.sum())
            written = problem.positions * int(problem.output_bytes[0])
            return loaded * scale.load + written * scale.write + int(step[-1]) * scale.compute
    return None


@settings(max_examples=100, deadline=None)
@given(pixels_only(), st.data())
def test_no_choice_of_kept_pixels_is_cheaper(
    drawn: tuple[Problem, Order, IntArray], data: st.DataObject
) -> None:
    problem, order, step = drawn
    uses = uses_of(problem, order, step)
    assume(0 < len(gaps_of(uses)) <= GAP_LIMIT)
    least = int(busy_bytes(problem, step, uses).max())
    spare = 4 * int(problem.pixel_bytes[0])
    problem = with_memory(problem, data.draw(st.integers(max(1, least - 2), least + spare)))
    # The one kernel block stays, resident or not: every step uses it.
    found = schedule(problem, order, step, data.draw(st.integers(0, 1)))
    assert (None if found is None else found.cost) == least_cost(problem, order, step)
    if found is not None:
        answer = Answer(plan_of(problem, found), LeastMemory(), (), Fraction(0))
        assert answer.method.endswith("what to keep: optimal for this order")


@st.composite
def schedules(draw: st.DrawFn, problem: Problem) -> tuple[Order, IntArray, int]:
    """An order, steps and a number of resident kernel blocks, of any kind the search tries."""
    tiles = draw(walks(problem))
    starts = draw(st.sets(st.integers(1, len(tiles)), max_size=4))
    regions = np.array([0, *sorted(starts - {len(tiles)})])
    sets = draw(st.integers(1, problem.exists.shape[0]))
    order = order_of(problem, tiles, regions, draw(st.sampled_from(NESTS)), sets)
    step = steps_of_order(problem, order, draw(st.integers(1, 4)))
    return order, step, draw(st.integers(0, problem.exists.count))


@settings(max_examples=80, deadline=None)
@given(problems(), st.data())
def test_every_operation_has_its_place_in_an_order(problem: Problem, data: st.DataObject) -> None:
    order, step, _ = data.draw(schedules(problem))
    operations = list(
        zip(*(getattr(order, axis).tolist() for axis in ("n", "q", "i", "j")), strict=True)
    )
    expected = [
        (int(n), int(q), i, j)
        for n, q in zip(*problem.exists.every(), strict=True)
        for i in range(problem.out_height)
        for j in range(problem.out_width)
    ]
    assert sorted(operations) == sorted(expected)
    macs: dict[int, int] = defaultdict(int)
    for (n, q, _, _), t in zip(operations, step.tolist(), strict=True):
        macs[t] += int(problem.operation_macs[n, q])
    assert max(macs.values()) <= problem.accelerator.macs_per_step
    assert sorted(macs) == list(range(1, int(step[-1]) + 1)), "no step is left out"
    assert (np.diff(step) >= 0).all(), "steps follow the order"


@settings(max_examples=80, deadline=None)
@given(problems(), st.data())
def test_more_memory_never_costs_more(problem: Problem, data: st.DataObject) -> None:
    order, step, residents = data.draw(schedules(problem))
    memories = data.draw(
        st.lists(st.integers(1, problem.all_bytes), min_size=2, max_size=6, unique=True)
    )
    costs = []
    for memory in sorted({*memories, problem.all_bytes}):
        found = schedule(with_memory(problem, memory), order, step, residents)
        costs.append(float("inf") if found is None else found.cost)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < float("inf"), "where everything fits, every order does"


@settings(max_examples=80, deadline=None)
@given(problems(), st.data())
def test_every_schedule_is_a_plan_that_the_rules_accept_at_its_cost(
    problem: Problem, data: st.DataObject
) -> None:
    order, step, residents = data.draw(schedules(problem))
    found = schedule(problem, order, step, residents)
    if found is None:
        problem = with_memory(problem, problem.all_bytes)
        found = schedule(problem, order, step, residents)
    assert found is not None
    assert_accepted(problem, found)


@settings(max_examples=40, deadline=None)
@given(pixels_only())
def test_a_schedule_with_just_enough_memory_is_accepted(
    drawn: tuple[Problem, Order, IntArray],
) -> None:
    problem, order, step = drawn
    least = int(busy_bytes(problem, step, uses_of(problem, order, step)).max())
    problem = with_memory(problem, least)
    found = schedule(problem, order, step, 1)
    assert found is not None
    verdict = assert_accepted(problem, found)
    assert verdict == least
    assert least == 1 or schedule(with_memory(problem, least - 1), order, step, 1) is None


def assert_accepted(problem: Problem, found: Schedule) -> int:
    """Check the schedule's plan by the rules; return its peak memory."""
    verdict = read_by_rules(strategy_of(problem, plan_of(problem, found)), shipped_rules())
    assert verdict.violations == ()
    assert verdict.duration == found.cost * scale_of(problem).unit
    assert verdict.counts.peak <= problem.capacity
    return verdict.counts.peak


@settings(max_examples=40, deadline=None)
@given(problems(), st.data())
def test_a_schedule_that_cannot_beat_the_best_is_left_out_and_no_other(
    problem: Problem, data: st.DataObject
) -> None:
    order, step, residents = data.draw(schedules(problem))
    found = schedule(problem, order, step, residents)
    assume(found is not None)
    assert found is not None
    again = schedule(problem, order, step, residents, best=found.cost + 1)
    assert again is not None
    assert again.cost == found.cost


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9).flatmap(splits))
def test_drawn_groups_partition(groups: tuple[tuple[int, int], ...]) -> None:
    assert all(a < b for a, b in groups)
    assert [a for a, _ in groups] == [0, *(b for _, b in groups[:-1])]
