"""Profiles and footprints never exceed the true minima, found by listing all subsets."""

import itertools
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from offloadasp.bounds.geometry import footprint as footprint_module
from offloadasp.bounds.geometry import profile as profile_module
from offloadasp.bounds.geometry.footprint import PixelFootprint, spread, supporting_pieces
from offloadasp.bounds.geometry.profile import axis_of, min_plus, parts, used_inputs
from offloadasp.model.instance import Layer
from tests.support.bounds_cases import input_lines, least_by_count, small_layers, unions

TILES = st.tuples(st.integers(1, 3), st.integers(1, 3))


def footprint_of(layer: Layer, tile: tuple[int, int] = (1, 1)) -> PixelFootprint:
    return PixelFootprint(axis_of(layer, 0, tile[0]), axis_of(layer, 1, tile[1]))


def least_lines(layer: Layer, axis: int, tile: int) -> list[int]:
    lines = [sum(1 << line for line in used) for used in input_lines(layer, axis, tile)]
    return least_by_count([union.bit_count() for union in unions(lines)], len(lines))


def least_pixels(layer: Layer, tile: tuple[int, int]) -> list[int]:
    rows, columns = (input_lines(layer, axis, tile[axis]) for axis in (0, 1))
    width = layer.input[2]
    patches = [
        sum(1 << (r * width + c) for r in used_rows for c in used_columns)
        for used_rows, used_columns in itertools.product(rows, columns)
    ]
    return least_by_count([union.bit_count() for union in unions(patches)], len(patches))


@pytest.fixture
def coarse() -> Iterator[None]:
    """Every approximation for large layers, on small ones."""
    with (
        mock.patch.object(profile_module, "EXACT_LIMIT", 0),
        mock.patch.object(footprint_module, "_MAX_PIECES", 1),
        mock.patch.object(footprint_module, "_MAX_STRIPES", 2),
        mock.patch.object(footprint_module, "spread", lambda limit, *_: spread(limit, 1, 2.0)),
    ):
        yield


@given(small_layers(positions=10, kernel=4), TILES, st.integers(0, 1))
@settings(max_examples=150, deadline=None)
def test_profile_is_the_least_number_of_input_rows(
    layer: Layer, tile: tuple[int, int], axis: int
) -> None:
    expected = least_lines(layer, axis, tile[axis])
    profile = axis_of(layer, axis, tile[axis]).least.tolist()
    if tile[axis] == 1 or layer.dilations[axis] == 1:
        assert profile == expected
    else:
        assert len(profile) == len(expected)
        assert all(bound <= least for bound, least in zip(profile, expected, strict=True))


@given(small_layers(positions=10, kernel=4), TILES, st.integers(0, 1))
@settings(max_examples=150, deadline=None)
def test_inner_profile_is_that_of_the_rows_that_lose_no_taps(
    layer: Layer, tile: tuple[int, int], axis: int
) -> None:
    assume(layer.dilations[axis] == 1)
    assume(tile[axis] == 1 or layer.strides[axis] <= layer.kernel_shape[axis])
    lines = input_lines(layer, axis, tile[axis])
    longest = [k for k, used in enumerate(lines) if len(used) == max(map(len, lines))]
    inner = lines[longest[0] : longest[-1] + 1]
    found = axis_of(layer, axis, tile[axis], inner=True)
    sets = [sum(1 << line for line in used) for used in inner]
    least = least_by_count([union.bit_count() for union in unions(sets)], len(inner))
    assert found.least.tolist() == least
    assert found.used == len(set().union(*inner))


def test_inner_rows_of_a_dilated_layer_are_those_of_each_residue_class() -> None:
    layer = Layer(
        input=(1, 8, 1), kernels=1, kernel_shape=(3, 1), pads=(2, 0, 2, 0), dilations=(2, 1)
    )
    # Even and odd rows apart: 4 rows each, of which the first and the last one lose a tap.
    found = axis_of(layer, 0, inner=True)
    assert found.least.tolist() == [0, 3, 4, 7, 8]
    assert found.used == 8


# Profiles that grow faster and faster: short rows at the border, strides about the kernel's size.
STEEP = [
    Layer(input=(1, 3, 10), kernels=1, kernel_shape=(2, 4), strides=(2, 3), pads=(1, 2, 2, 0)),
    Layer(input=(1, 11, 6), kernels=1, kernel_shape=(2, 3), strides=(6, 2), pads=(2, 3, 2, 0)),
    Layer(input=(1, 8, 4), kernels=1, kernel_shape=(3, 3), strides=(3, 2), pads=(1, 3, 0, 3)),
]


@example(STEEP[0], (1, 1))
@example(STEEP[1], (1, 1))
@example(STEEP[2], (1, 1))
@given(small_layers(positions=11, kernel=4), TILES)
@settings(max_examples=150, deadline=None)
def test_footprint_never_exceeds_the_least_number_of_pixels(
    layer: Layer, tile: tuple[int, int]
) -> None:
    expected = np.array(least_pixels(layer, tile))[1:]
    footprint = footprint_of(layer, tile)
    n = np.arange(1, footprint.tiles + 1)
    assert (footprint.at(n) <= expected).all()
    assert footprint.at(n)[-1] == expected[-1] or tile != (1, 1)


@given(small_layers(positions=10, kernel=4), TILES)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.usefixtures("coarse")
def test_approximations_for_large_layers_stay_below_the_least(
    layer: Layer, tile: tuple[int, int]
) -> None:
    for axis in (0, 1):
        bound = axis_of(layer, axis, tile[axis]).least
        assert (bound <= least_lines(layer, axis, tile[axis])).all()
        assert (np.diff(bound) >= 0).all()
    expected = np.array(least_pixels(layer, tile))[1:]
    footprint = footprint_of(layer, tile)
    n = np.arange(1, footprint.tiles + 1)
    assert (footprint.at(n) <= expected).all()
    assert (footprint.below(n) <= expected).all()


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
@settings(max_examples=150, deadline=None)
def test_footprint_equals_the_closed_form_without_padding_and_dilation(
    kernel: tuple[int, int], strides: tuple[int, int], outputs: tuple[int, int]
) -> None:
    sides = [(outputs[a] - 1) * strides[a] + kernel[a] for a in (0, 1)]
    layer = Layer(input=(1, sides[0], sides[1]), kernels=1, kernel_shape=kernel, strides=strides)
    (new_rows, new_columns) = (min(strides[a], kernel[a]) for a in (0, 1))
    more_rows, more_columns = kernel[0] - new_rows, kernel[1] - new_columns
    n = np.arange(1, outputs[0] * outputs[1] + 1)
    expected = [
        new_rows * new_columns * count
        + more_rows * more_columns
        + min(
            new_rows * more_columns * a + new_columns * more_rows * -(-count // a)
            for a in range(1, outputs[0] + 1)
            if -(-count // a) <= outputs[1]
        )
        for count in n.tolist()
    ]
    assert footprint_of(layer).at(n).tolist() == expected


@given(small_layers(positions=10, kernel=4), TILES, st.integers(0, 1))
@settings(max_examples=100, deadline=None)
def test_parts_are_intervals_that_share_no_input(
    layer: Layer, tile: tuple[int, int], axis: int
) -> None:
    divided = parts(layer, axis, tile[axis])
    lines = input_lines(layer, axis, tile[axis])
    assert used_inputs(layer, axis) == len(set().union(*lines))
    if divided:
        assert sum(part.used for part in divided) == len(set().union(*lines))
        sizes = sorted(int(size) for part in divided for size in part.high - part.low)
        assert sizes == sorted(map(len, lines))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_every_line_supports_the_profile_on_its_piece(increments: list[int]) -> None:
    profile = np.cumsum([0, *increments])
    pieces = supporting_pieces(profile)
    assert [piece.start for piece in pieces] == [1, *(piece.stop + 1 for piece in pieces[:-1])]
    assert pieces[-1].stop == len(increments)
    for piece in pieces:
        for line, r in itertools.product(piece.lines, range(1, piece.stop + 1)):
            assert line.slope * r + line.offset <= line.scale * profile[r]
        touched = {
            r
            for line, r in itertools.product(piece.lines, range(1, piece.stop + 1))
            if line.slope * r + line.offset == line.scale * profile[r]
        }
        assert {1, piece.stop} <= touched


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_min_plus_is_the_least_over_all_splits(left: list[int], right: list[int]) -> None:
    expected = [
        min(left[a] + right[n - a] for a in range(len(left)) if 0 <= n - a < len(right))
        for n in range(len(left) + len(right) - 1)
    ]
    assert min_plus(np.array(left), np.array(right)).tolist() == expected


def test_spread_is_dense_first_and_reaches_the_limit() -> None:
    points = spread(10**6, 50, 1.05)
    assert points[:50].tolist() == list(range(1, 51))
    assert points[-1] == 10**6
    assert (np.diff(points) > 0).all()
    assert (points[50:] <= points[49:-1] * 1.05 + 1).all()
