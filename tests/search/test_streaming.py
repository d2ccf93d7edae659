"""Plans whose channels stream: valid in any of the ways that are tried, and hardly waiting."""

import math
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import lower_bound
from offloadasp.model.instance import Layer, Precision
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem, finest, undivided
from offloadasp.model.reference import read
from offloadasp.search.overlap.cuts import Curves
from offloadasp.search.overlap.passes import can_pass, passes, passing
from offloadasp.search.overlap.pipelined import pipelined
from offloadasp.search.overlap.streaming import streamed
from offloadasp.search.overlap.streams import streams, variations
from tests.engines.overlapped import OVERLAPS, overlapping
from tests.support.bounds_cases import small_layers
from tests.support.layers import accelerator, problem_with, strategy_of

Overlap = Literal["dma", "duplex"]


def invalid(plan: Plan) -> str | None:
    """What the reference in plain loops finds wrong with a plan, other than durations stated."""
    reading = read(strategy_of(plan.problem, plan).model_copy(update={"duration": plan.duration}))
    return None if reading.step is None and reading.duration == plan.duration else str(reading)


@st.composite
def layers_that_stream(draw: st.DrawFn) -> Problem:
    """Small layers of one convolution group, on memory for one operation or for more."""
    layer = draw(small_layers(positions=9).filter(lambda one: one.group == 1))
    layer = layer.model_copy(
        update={
            "input": (draw(st.integers(1, 7)), *layer.input[1:]),
            "kernels": draw(st.integers(1, 6)),
        }
    )
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    chip = accelerator(
        memory=draw(st.integers(40, 600)), compute=3, macs=taps * draw(st.integers(1, 40))
    )
    return problem_with(layer, chip, Precision(output=1, partial_sum=4), undivided(layer))


@settings(max_examples=25, deadline=None)
@given(layers_that_stream(), st.sampled_from(OVERLAPS), st.data())
def test_streamed_plans_are_valid_serially_and_with_overlap(
    serial: Problem, overlap: Overlap, data: st.DataObject
) -> None:
    problem = overlapping(serial, overlap)
    tried = streams(problem, 8)
    assume(tried)
    stream = data.draw(st.sampled_from(tried))
    others = list(variations(problem, stream))
    for one in [stream, *data.draw(st.lists(st.sampled_from(others), max_size=2))]:
        plan = streamed(serial, one)
        if plan is None:
            continue
        assert invalid(plan) is None
        assert plan.counts.peak <= serial.memory
        made = pipelined(plan, problem.with_decomposition(plan.problem.decomposition))
        assert invalid(made) is None
        assert made.counts.peak <= problem.memory
        assert made.duration <= plan.duration


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_balanced_layer_hardly_waits_where_its_partial_sums_fit(
    kernel: int, overlap: Overlap
) -> None:
    pad = kernel // 2
    layer = Layer(
        input=(32, 6, 6), kernels=16, kernel_shape=(kernel, kernel), pads=(pad, pad, pad, pad)
    )
    # Compute takes one and a half times as long as each byte once.
    once = 32 * 36 + 16 * 32 * kernel**2 + 16 * 36
    mac = Fraction(3 * once, 2 * layer.macs).limit_denominator(1000)
    chip = accelerator(memory=6_000, compute=2, macs=288, mac=mac)
    serial = problem_with(layer, chip, Precision(output=1, partial_sum=4), undivided(layer))
    problem = overlapping(serial, overlap)
    bound = lower_bound(problem.with_decomposition(finest(layer))).value
    made = [streamed(serial, stream) for stream in streams(problem, 6)]
    best = min(
        pipelined(plan, problem.with_decomposition(plan.problem.decomposition)).duration
        for plan in made
        if plan is not None
    )
    assert float(best / bound) < 1.02


@settings(max_examples=15, deadline=None)
@given(small_layers(positions=9), st.sampled_from(OVERLAPS), st.data())
def test_passes_are_valid_serially_and_with_overlap(
    layer: Layer, overlap: Overlap, data: st.DataObject
) -> None:
    channels = data.draw(st.integers(1, 6))
    depthwise, dense = (channels, channels), (data.draw(st.integers(1, 6)), 1)
    kernels, group = data.draw(st.sampled_from([depthwise, dense]))
    layer = layer.model_copy(
        update={"input": (channels, *layer.input[1:]), "kernels": kernels, "group": group}
    )
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    chip = accelerator(
        memory=data.draw(st.integers(30, 300)), macs=taps * data.draw(st.integers(1, 20))
    )
    serial = problem_with(layer, chip, Precision(output=1, partial_sum=4), undivided(layer))
    problem = overlapping(serial, overlap)
    assert can_pass(layer)
    for way in data.draw(st.lists(st.sampled_from(list(passes(layer))), min_size=1, max_size=3)):
        order = passing(serial, way)
        if not order.fits:
            continue
        curves = Curves.of(order.problem, problem.semantics, order.n, order.q, order.at)
        if math.isinf(curves.least):
            continue  # places of cuts lie too far from each other
        plan = order.plan(curves.cut(curves.least)[1])
        if plan is not None:
            assert invalid(plan) is None
            made = pipelined(plan, problem.with_decomposition(plan.problem.decomposition))
            assert invalid(made) is None
            assert made.duration <= plan.duration


@st.composite
def curves(draw: st.DrawFn) -> Curves:
    """Draw curves with a cut after each operation."""
    count = draw(st.integers(1, 7))
    works = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    limit = draw(st.integers(max(works), 12))
    steps = st.lists(st.integers(0, 9), min_size=count, max_size=count)
    work, loaded, written = (np.cumsum([0, *each]) for each in (works, draw(steps), draw(steps)))
    between = (work[None, :] - work[:, None]).astype(float)
    action = np.where((between > 0) & (between <= limit), between + draw(st.integers(0, 6)), np.inf)
    transfers = float(max(loaded[-1], written[-1]))
    left = (written[-1] - written).astype(float)
    return Curves(np.arange(count + 1), loaded.astype(float), left, action, transfers)


def duration(along: Curves, cuts: tuple[int, ...]) -> float:
    """Go through the actions between cuts: the loads' lane, the actions, the writes' lane."""
    ended, total = 0.0, along.transfers
    for begin, end in pairwise(cuts):
        ended = max(ended, along.loaded[end]) + along.action[begin, end]
        total = max(total, ended + along.unwritten[begin])
    return total


@given(curves())
@example(Curves(np.arange(2), np.zeros(2), np.zeros(2), np.array([[np.inf, 0], [np.inf] * 2]), 0.0))
def test_no_cuts_are_much_shorter_than_those_of_dynamic_programming(along: Curves) -> None:
    count = len(along.places) - 1
    inner = [cuts for k in range(count) for cuts in combinations(range(1, count), k)]
    best = min(duration(along, (0, *cuts, count)) for cuts in inner)
    assert along.least <= best
    cycles, step = along.cut(along.least)
    assert cycles <= best + along.least / 50
    ends = np.flatnonzero(np.diff(step, append=step[-1] + 1)) + 1
    assert duration(along, (0, *map(int, ends))) == cycles
