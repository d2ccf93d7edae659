"""Footprints of operations, phases and cuts against listing all subsets, phases and orders."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from offloadasp.base.arrays import IntArray
from offloadasp.bounds.arguments import phases as phases_module
from offloadasp.bounds.arguments.phases import best_phases, phase_value
from offloadasp.bounds.arguments.separator import live_pixels
from offloadasp.bounds.geometry import footprint as footprint_module
from offloadasp.bounds.geometry import operations as operations_module
from offloadasp.bounds.geometry import sizes as sizes_module
from offloadasp.bounds.geometry.footprint import spread
from offloadasp.bounds.geometry.operations import OperationFootprint
from offloadasp.bounds.geometry.sizes import sizes_of
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from tests.engines.exhaustive import Game, bits, game_of
from tests.support.bounds_cases import (
    input_lines,
    least_by_count,
    small_layers,
    tiny_problems,
    unions,
    without_bias_if_grouped,
)
from tests.support.layers import accelerator, problem_with


def least_bytes(game: Game, output_bytes: int) -> list[int]:
    """Least bytes of the blocks that any n operations need, outputs at so many bytes each."""
    inputs, outputs = list(game.input_bytes), list(game.output_bytes)
    sizes = [*(game.input_bytes[b] for b in inputs), *(output_bytes for _ in outputs)]
    number = {block: b for b, block in enumerate([*inputs, *outputs])}
    sets = [
        sum(1 << number[b] for b in operation.inputs) | 1 << number[operation.output]
        for operation in game.operations
    ]
    values = [sum(sizes[b] for b in bits(union)) for union in unions(sets)]
    return least_by_count(values, len(sets))


def sparse(limit: int, _dense: int, _ratio: float) -> IntArray:
    """Few points of a table, as for large layers."""
    return spread(limit, 1, 2.0)


@given(tiny_problems(operations=9, blocks=60), st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_footprint_never_exceeds_the_least_bytes_of_so_many_operations(
    problem: Problem, output_bytes: int
) -> None:
    footprint = OperationFootprint(sizes_of(problem))
    expected = least_bytes(game_of(without_bias_if_grouped(problem)), output_bytes)
    n = np.arange(1, len(expected))
    assert footprint.sizes.operations == len(n)
    assert (footprint.at(n, output_bytes) <= expected[1:]).all()
    with (
        mock.patch.object(operations_module, "_FOLD_LIMIT", 0),
        mock.patch.object(sizes_module, "_MAX_KINDS", 1),
        mock.patch.object(operations_module, "spread", sparse),
        mock.patch.object(footprint_module, "spread", sparse),
    ):
        coarse = OperationFootprint(sizes_of(problem))
        assert (coarse.at(n, output_bytes) <= expected[1:]).all()


@pytest.mark.parametrize("width", [2, 3])
def test_footprint_over_many_kernel_groups_of_several_sizes(width: int) -> None:
    layer = Layer(input=(2, 1, width), kernels=7, kernel_shape=(1, 2))
    groups = Resolved(
        tile=(1, 1),
        kernel_groups=((0, 2), (2, 3), (3, 5), (5, 6), (6, 7)),
        channel_groups=((0, 2),),
    )
    problem = problem_with(layer, accelerator(), Precision(), groups)
    expected = least_bytes(game_of(problem), 0)
    n = np.arange(1, len(expected))
    exact = OperationFootprint(sizes_of(problem)).at(n)
    assert exact.tolist() == expected[1:]
    with (
        mock.patch.object(operations_module, "spread", sparse),
        mock.patch.object(footprint_module, "spread", sparse),
    ):
        coarse = OperationFootprint(sizes_of(problem)).at(n)
    assert (coarse <= exact).all()


@given(tiny_problems(operations=12, blocks=80))
@settings(max_examples=150, deadline=None)
def test_footprint_of_all_operations_is_every_block_once(problem: Problem) -> None:
    sizes = sizes_of(problem)
    assume(problem.decomposition.tile == (1, 1))
    everything = OperationFootprint(sizes).at(np.array([sizes.operations]))[0]
    assert everything + sizes.apart_bytes == problem.input_total + problem.kernel_total


def compositions(total: int) -> list[list[int]]:
    """Every way to write a number as an ordered sum of positive ones."""
    return [
        np.diff([0, *cuts, total]).tolist()
        for count in range(total)
        for cuts in itertools.combinations(range(1, total), count)
    ]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_phases_are_the_best_of_all(increments: list[int], capacity: int) -> None:
    table = np.cumsum([0, *increments])
    operations = len(increments)

    def need(n: IntArray) -> IntArray:
        out: IntArray = table[n]
        return out

    def value(lengths: list[int]) -> int:
        later = sum(max(0, int(table[n + 1]) - capacity) for n in lengths[1:])
        return int(table[lengths[0]]) + later

    best = max(map(value, compositions(operations)))
    found = best_phases(need, capacity, operations)
    assert sum(length * count for length, count in found) == operations
    assert phase_value(need, capacity, found) == best
    with mock.patch.object(phases_module, "EXACT_LIMIT", 1):
        equal = best_phases(need, capacity, operations)
    lengths = [length for length, count in equal for _ in range(count)]
    assert sum(lengths) == operations
    assert table[operations] <= phase_value(need, capacity, equal) == value(lengths)


def bottleneck(layer: Layer, tile: tuple[int, int]) -> int:
    """Least over all orders of the most pixels live at one moment.

    A pixel is live at an operation if it is needed at or before it and at or after it.
    """
    rows, columns = (input_lines(layer, axis, tile[axis]) for axis in (0, 1))
    width = layer.input[2]
    patches = [
        sum(1 << (r * width + c) for r in used_rows for c in used_columns)
        for used_rows, used_columns in itertools.product(rows, columns)
    ]
    needed = unions(patches)
    everything = len(needed) - 1
    most = [0] * len(needed)
    for done in range(1, len(needed)):
        most[done] = min(
            max(
                most[done ^ 1 << o],
                (needed[done] & needed[everything & ~done | 1 << o]).bit_count(),
            )
            for o in bits(done)
        )
    return most[everything]


@example(
    Layer(input=(1, 6, 5), kernels=1, kernel_shape=(4, 3), strides=(3, 2), pads=(4, 2, 3, 0)),
    False,
)
@given(small_layers(positions=12, kernel=4, single=True), st.booleans())
@settings(max_examples=150, deadline=None)
def test_so_many_pixels_are_live_at_some_moment_of_every_order(layer: Layer, tiled: bool) -> None:
    assume(layer.dilations == (1, 1))
    tile = (2, 1) if tiled and layer.output_shape[1] > 2 else (1, 1)
    found = live_pixels(layer, tile)
    assert all(parts == 1 for _, parts in found)
    assert sum(live for live, _ in found) <= bottleneck(layer, tile)


@pytest.mark.parametrize(("side", "kernel", "pad"), [(4, 3, 1), (4, 5, 2), (3, 2, 1)])
def test_live_pixels_of_a_padded_layer_are_those_of_its_inner_positions(
    side: int, kernel: int, pad: int
) -> None:
    layer = Layer(input=(1, side, side), kernels=1, kernel_shape=(kernel, kernel), pads=(pad,) * 4)
    ((live, _),) = live_pixels(layer, (1, 1))
    assert live == bottleneck(layer, (1, 1))


def test_live_pixels_of_a_dilated_layer_are_those_of_each_residue_class() -> None:
    dilated = Layer(input=(1, 12, 10), kernels=1, kernel_shape=(3, 2), dilations=(2, 3))
    # Two classes of 6 rows by three classes of 4, 3 and 3 columns, each a layer without dilation.
    expected: dict[int, int] = {}
    for columns in (4, 3, 3):
        part = Layer(input=(1, 6, columns), kernels=1, kernel_shape=(3, 2))
        ((live, _),) = live_pixels(part, (1, 1))
        expected[live] = expected.get(live, 0) + 2
    assert dict(live_pixels(dilated, (1, 1))) == expected


@pytest.mark.parametrize(
    ("outputs", "kernel", "stride"), [((4, 6), (3, 3), (1, 1)), ((5, 3), (4, 3), (2, 1))]
)
def test_live_pixels_equal_the_closed_form_without_padding(
    outputs: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    height, width = ((outputs[a] - 1) * stride[a] + kernel[a] for a in (0, 1))
    layer = Layer(input=(1, height, width), kernels=1, kernel_shape=kernel, strides=stride)
    expected = min(
        (kernel[0] - stride[0]) * width + stride[0] * kernel[1],
        (kernel[1] - stride[1]) * height + stride[1] * kernel[0],
    )
    assert live_pixels(layer, (1, 1)) == ((expected, 1),)
