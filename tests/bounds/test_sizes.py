"""Sizes of a decomposition against its blocks and operations, listed one by one."""

from collections import Counter, defaultdict
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from offloadasp.bounds.arguments.macs import steps_by_macs
from offloadasp.bounds.arguments.memory import steps_by_memory
from offloadasp.bounds.arguments.size import steps_by_size

from offloadasp.bounds.geometry import sizes as sizes_module
from offloadasp.bounds.geometry.operations import OperationFootprint, block_capacity, input_capacity
from offloadasp.bounds.geometry.sizes import finest_sizes, sizes_of
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem, finest
from tests.engines.exhaustive import Block, game_of
from tests.support.bounds_cases import tight_problems, without_bias_if_grouped
from tests.support.layers import accelerator, problem_with, problems


@given(problems())
@settings(max_examples=150, deadline=None)
def test_sizes_are_those_of_the_blocks_and_operations(problem: Problem) -> None:
    sizes, game = sizes_of(problem), game_of(problem)
    bare = game_of(without_bias_if_grouped(problem))
    assert Counter(dict(sizes.operation_macs)) == Counter(o.macs for o in game.operations)
    assert sizes.operations == len(game.operations)
    assert sizes.output_blocks == len(game.output_bytes)
    assert sizes.depth == max(Counter(o.output for o in game.operations).values())
    assert sizes.partial_bytes == min(partial for partial, _ in game.output_bytes.values())
    assert sizes.apart_bytes == sum(game.input_bytes.values()) - sum(bare.input_bytes.values())
    kernels: defaultdict[object, list[int]] = defaultdict(list)
    for block, size in bare.input_bytes.items():
        if block[0] == "kernel":
            kernels[block[2]].append(size)
    listed = Counter(
        (int(problem.pixel_bytes[q]), tuple(sorted(kernels[q])))
        for q in range(len(problem.pixel_bytes))
    )
    found = {(kind.pixel_bytes, kind.kernel_bytes): kind.count for kind in sizes.kinds}
    assert found == dict(listed)


@given(problems())
@settings(max_examples=100, deadline=None)
def test_closed_form_of_the_finest_decomposition_agrees_with_the_arrays(problem: Problem) -> None:
    fine = problem.with_decomposition(finest(problem.layer))
    with mock.patch.object(sizes_module, "is_finest", return_value=False):
        listed = sizes_of(fine)
    closed = finest_sizes(problem)
    for name in ("kernel_groups", "depth", "partial_bytes", "computing_bytes", "operation_macs"):
        assert getattr(closed, name) == getattr(listed, name)
    assert closed.apart_bytes == listed.apart_bytes
    assert sorted(closed.kinds, key=str) == sorted(listed.kinds, key=str)
    n = np.arange(1, closed.tiles + 1)
    assert (closed.footprint.at(n) == listed.footprint.at(n)).all()


@given(tight_problems(operations=8, blocks=40))
@settings(max_examples=200, deadline=None)
def test_output_block_counts_the_least_it_takes_in_any_step(problem: Problem) -> None:
    """A block that is begun and completed in one step takes its complete bytes, others more."""
    game = game_of(problem)
    by_output: defaultdict[Block, list[int]] = defaultdict(list)
    for o, operation in enumerate(game.operations):
        by_output[operation.output].append(o)
    least = []
    for block, own in by_output.items():
        partial, complete = game.output_bytes[block]
        inputs = frozenset().union(*(game.operations[o].inputs for o in own))
        bytes_at_once = sum(game.input_bytes[b] for b in inputs) + complete
        macs = sum(game.operations[o].macs for o in own)
        chip = problem.accelerator
        at_once = bytes_at_once <= chip.memory and macs <= chip.macs_per_step
        least.append(complete if len(own) == 1 else min(partial, complete) if at_once else partial)
    assert sizes_of(problem).computing_bytes <= min(least)


def one_of_each(outputs: int, memory: int, macs: int, precision: Precision) -> Problem:
    """A 1 x 1 kernel over a row of positions, two channel groups of one channel."""
    layer = Layer(input=(2, 1, outputs), kernels=1, kernel_shape=(1, 1))
    groups = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1), (1, 2)))
    return problem_with(layer, accelerator(memory=memory, macs=macs), precision, groups)


def test_finest_view_allows_for_kernel_groups_that_span_convolution_groups() -> None:
    """Depthwise, but both kernels in one group: after one channel it holds partial sums."""
    layer = Layer(input=(2, 1, 2), kernels=2, kernel_shape=(1, 1), group=2)
    spanning = Resolved(tile=(1, 1), kernel_groups=((0, 2),), channel_groups=((0, 1), (1, 2)))
    precision = Precision(output=6, partial_sum=1)
    problem = problem_with(layer, accelerator(), precision, spanning)
    assert sizes_of(problem).computing_bytes == 2
    assert finest_sizes(problem).computing_bytes == 1


@pytest.mark.parametrize(
    ("memory", "macs", "precision", "least"),
    [
        (5, 2, Precision(output=1, partial_sum=4), 1),  # 2 pixels, 2 kernels, the output
        (4, 2, Precision(output=1, partial_sum=4), 4),  # too little memory for both channels
        (5, 1, Precision(output=1, partial_sum=4), 4),  # too few MACs for both channels
        (8, 2, Precision(output=4, partial_sum=1), 1),
        (7, 2, Precision(output=4, partial_sum=1), 1),
    ],
)
def test_complete_bytes_count_only_where_one_step_can_compute_an_output(
    memory: int, macs: int, precision: Precision, least: int
) -> None:
    problem = one_of_each(3, memory, macs, precision)
    sizes = sizes_of(problem)
    assert sizes.computing_bytes == least
    spared = max(0, precision.partial_sum - least)
    assert block_capacity(sizes, memory) == memory + spared
    assert input_capacity(sizes, memory) == memory - least


def test_capacity_leaves_out_what_whole_blocks_cannot_fill() -> None:
    layer = Layer(input=(4, 1, 9), kernels=2, kernel_shape=(1, 3))
    groups = Resolved(tile=(1, 1), kernel_groups=((0, 1), (1, 2)), channel_groups=((0, 4),))
    problem = problem_with(layer, accelerator(memory=27), Precision(output=0), groups)
    # Kernel blocks of 12 bytes, pixel blocks of 4: one kernel with 3 pixels, or both, take 24.
    assert input_capacity(sizes_of(problem), 27) == 24
    assert input_capacity(sizes_of(problem), 28) == 28


def test_steps_by_memory_need_a_group_that_does_not_fit() -> None:
    layer = Layer(input=(1, 1, 9), kernels=1, kernel_shape=(1, 1))
    whole = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    problem = problem_with(layer, accelerator(), Precision(), whole)
    footprint = OperationFootprint(sizes_of(problem))
    # g operations take g pixels, the kernel and g outputs: 2 g + 1 bytes.
    assert footprint.most_in_step(7) == footprint.most_in_step(8) == 3
    assert steps_by_memory(footprint, 7, 3) == steps_by_memory(footprint, 8, 3) == 3
    assert steps_by_memory(footprint, 9, 3) == 1
    assert steps_by_memory(footprint, 7, 2) == 1
    assert steps_by_memory(footprint, 7, 4) == 3
    assert steps_by_memory(footprint, 7, 9) == 1


def test_steps_by_macs_and_by_size() -> None:
    layer = Layer(input=(1, 1, 7), kernels=1, kernel_shape=(1, 1))
    tiles = Resolved(tile=(1, 3), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    sizes = sizes_of(problem_with(layer, accelerator(), Precision(), tiles))
    assert sizes.operation_macs == ((1, 1), (3, 2))
    assert steps_by_macs(sizes, 4) == 2
    assert steps_by_macs(sizes, 3) == 3
    assert steps_by_size(sizes, 5, 3) == 2
    assert steps_by_size(sizes, 6, 3) == 1
    assert steps_by_size(sizes, 2, 1) == 2
