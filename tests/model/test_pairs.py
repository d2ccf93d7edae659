"""Pairs of groups and what outputs read, kept as intervals, against plain loops over all."""

import tracemalloc
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.base.arrays import IntArray
from offloadasp.bounds import least_macs, least_memory, lower_bound
from offloadasp.model.instance import Accelerator, Layer, Precision
from offloadasp.model.pairs import PairTable
from offloadasp.model.problem import Problem, finest, granularity
from offloadasp.model.reads import reads_of
from offloadasp.search.construct.grid import axis_of
from tests.support.layers import accelerator, layers, problem_with, problems, shared, taps


@settings(max_examples=60, deadline=None)
@given(problems(layers(channels=4)))
def test_pairs_share_the_channels_that_a_loop_over_kernels_and_channels_counts(
    problem: Problem,
) -> None:
    expected = shared(problem)
    pairs = problem.exists
    n, q = np.indices(expected.shape)
    assert pairs.shape == expected.shape
    assert (pairs.shared(n, q) == expected).all()
    assert (pairs[n, q] == (expected > 0)).all()
    assert pairs.depth.tolist() == (expected > 0).sum(axis=1).tolist()
    assert pairs.breadth.tolist() == (expected > 0).sum(axis=0).tolist()
    assert np.column_stack(pairs.every()).tolist() == np.argwhere(expected).tolist()
    assert pairs.number(*pairs.every()).tolist() == list(range(pairs.count))


def _dense(table: PairTable) -> IntArray:
    n, q = np.indices(table.pairs.shape)
    return table[n, q]


@settings(max_examples=60, deadline=None)
@given(problems(layers(channels=4)))
def test_sums_and_distinct_values_of_a_table_are_those_of_all_its_pairs(problem: Problem) -> None:
    for table in (problem.kernel_bytes, problem.operation_macs):
        dense = _dense(table)
        assert table.by_kernel_group.tolist() == dense.sum(axis=1).tolist()
        values, counts = table.distinct
        assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == dict(
            Counter(dense[dense > 0].tolist())
        )
        assert table.max() == dense.max()
    sizes = [*problem.pixel_bytes, *problem.output_bytes, *problem.partial_bytes]
    assert granularity(problem) == np.gcd.reduce([*sizes, *_dense(problem.kernel_bytes).ravel()])


@settings(max_examples=60, deadline=None)
@given(problems(layers(channels=4)), st.integers(0, 9))
def test_the_largest_and_the_least_block_are_among_the_outermost_pairs(
    problem: Problem, pixels: int
) -> None:
    needs = pixels * problem.pixel_bytes + _dense(problem.kernel_bytes)
    exists = shared(problem) > 0
    n, q = problem.exists.outermost
    for row in range(len(needs)):
        chosen = needs[row, q[n == row]]
        assert chosen.max() == needs[row][exists[row]].max()
        assert chosen.min() == needs[row][exists[row]].min()


@settings(max_examples=60, deadline=None)
@given(layers(side=12, reach=5), st.integers(0, 1), st.integers(1, 5))
def test_outputs_read_what_a_loop_over_outputs_and_taps_finds(
    layer: Layer, axis: int, tile: int
) -> None:
    mask, reads = taps(layer, axis), reads_of(layer, axis)
    assert [sorted({*line} - {-1}) for line in reads.listed().tolist()] == [
        np.flatnonzero(line).tolist() for line in mask
    ]
    assert reads.used.tolist() == mask.any(axis=0).tolist()
    assert reads.distinct(tile).tolist() == [
        int(mask[k : k + tile].any(axis=0).sum()) for k in range(0, len(mask), tile)
    ]
    other = taps(layer, 1 - axis)
    same = mask.shape == other.shape and bool((mask == other).all())
    assert reads.same(reads_of(layer, 1 - axis)) == same


def _depthwise(channels: int) -> Layer:
    return Layer(
        input=(channels, 5, 5), kernels=channels, kernel_shape=(3, 3), group=channels, bias=True
    )


def _row(outputs: int) -> Layer:
    return Layer(input=(2, 1, outputs + 8), kernels=2, kernel_shape=(1, 3), dilations=(1, 4))


def _fully_connected(outputs: int) -> Layer:
    return Layer(input=(outputs // 4, 1, 1), kernels=outputs, kernel_shape=(1, 1))


def _chip() -> Accelerator:
    return accelerator(memory=4096, load=Fraction(1, 4), macs=4096)


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("layer", "size"), [(_depthwise, 512), (_row, 512), (_fully_connected, 512)]
)
def test_set_up_and_bounds_take_memory_in_proportion_to_groups_and_lengths(
    layer: Callable[[int], Layer], size: int
) -> None:
    def set_up(count: int) -> None:
        made = layer(count)
        whole = problem_with(made, _chip(), Precision(), finest(made))
        for problem in (whole, whole.within(2048)):
            least_memory(problem), least_macs(problem), granularity(problem)
            axis_of(problem, 0), axis_of(problem, 1)
            lower_bound(problem)

    set_up(8)  # what is made once
    small, large = (_peak(lambda count=count: set_up(count)) for count in (size, 4 * size))  # type: ignore[misc]
    assert large < 6 * small
