"""The line bound: footprints by rows and columns, line loads, and both against exact optima."""

import heapq
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.bounds import lower_bound, verify_certificate
from offloadasp.bounds.arguments import separator
from offloadasp.bounds.geometry.compulsory import compulsory_loads
from offloadasp.bounds.geometry.lines import Grid, extra_loads, extra_pixels, least_line_loads
from offloadasp.bounds.geometry.profile import parts
from offloadasp.bounds.geometry.runs import run_of
from offloadasp.bounds.view import View
from offloadasp.model.instance import Layer
from tests.bounds.test_optimum import resident
from tests.engines.exhaustive import optimal_duration
from tests.support.bounds_cases import small_layers, unions


@given(small_layers(positions=12, kernel=4), st.tuples(st.integers(1, 2), st.integers(1, 2)))
@settings(max_examples=100, deadline=None)
def test_tiles_use_at_least_the_pixels_that_their_rows_and_columns_count(
    layer: Layer, tile: tuple[int, int]
) -> None:
    found = [parts(layer, axis, tile[axis]) for axis in (0, 1)]
    assume(all(found))
    for down, across in itertools.product(*found):
        if min(len(down.low), len(across.low)) < 2:
            continue
        grid = Grid.of(run_of(down), run_of(across))
        width = int(across.high.max(initial=0)) + 1
        places = list(itertools.product(range(len(down.low)), range(len(across.low))))
        patches = [
            sum(
                1 << (r * width + c)
                for r in range(down.low[i], down.high[i])
                for c in range(across.low[j], across.high[j])
            )
            for i, j in places
        ]
        for subset, union in enumerate(unions(patches)):
            tiles = [place for k, place in enumerate(places) if subset >> k & 1]
            rows, columns = ({place[axis] for place in tiles} for axis in (0, 1))
            least = grid.corner * len(tiles) + grid.row * len(rows) + grid.column * len(columns)
            assert not tiles or least + grid.shared <= union.bit_count()


Meetings = frozenset[tuple[int, int]]


def fewest_loads(rows: int, columns: int, lines: int) -> int:
    """Exact search over what has met and what is on chip; lines are numbered rows first."""
    everything = rows + columns
    start: tuple[Meetings, frozenset[int]] = (frozenset(), frozenset())
    best = {start: 0}
    queue = [(0, 0, 0, start)]
    order = itertools.count(1)
    while True:
        _, cost, _, (met, chip) = heapq.heappop(queue)
        if len(met) == rows * columns:
            return cost
        if cost > best[met, chip]:
            continue
        for kept, line in itertools.product(_kept(chip, lines), range(everything)):
            if line in kept:
                continue
            others = [k for k in kept if (k < rows) != (line < rows)]
            pairs = {(min(line, k), max(line, k)) for k in others}
            state = _first_of_each(frozenset(met | pairs), kept | {line}, rows, columns)
            if cost + 1 < best.get(state, cost + 2):
                best[state] = cost + 1
                left = -(-(rows * columns - len(state[0])) // (lines - 1))
                heapq.heappush(queue, (cost + 1 + left, cost + 1, next(order), state))


def _kept(chip: frozenset[int], lines: int) -> Iterator[frozenset[int]]:
    if len(chip) < lines:
        yield chip
    else:
        yield from (chip - {line} for line in chip)


def _first_of_each(
    met: Meetings, chip: frozenset[int], rows: int, columns: int
) -> tuple[Meetings, frozenset[int]]:
    """Number lines of a kind by how many they met: fewer states, none that is not one of them."""
    count = [sum(line in pair for pair in met) for line in range(rows + columns)]

    def key(line: int) -> tuple[bool, int]:
        return (line not in chip, -count[line])

    kinds = (range(rows), range(rows, rows + columns))
    new = {line: kind[k] for kind in kinds for k, line in enumerate(sorted(kind, key=key))}
    return frozenset((new[a], new[b]) for a, b in met), frozenset(new[k] for k in chip)


@pytest.mark.parametrize(
    ("rows", "columns", "lines"),
    [(2, 2, 2), (2, 3, 3), (3, 3, 2), (3, 3, 3), (3, 3, 4), (3, 4, 3), (3, 5, 3), (4, 4, 3)],
)
def test_no_sequence_loads_fewer_lines(rows: int, columns: int, lines: int) -> None:
    least = fewest_loads(rows, columns, lines)
    assert least_line_loads(rows, columns, lines) <= least
    assert least_line_loads(columns, rows, lines) <= least


@given(st.integers(1, 300), st.integers(1, 300), st.integers(2, 90), st.integers(1, 89))
@settings(max_examples=300, deadline=None)
def test_strips_load_at_least_so_many_lines(
    rows: int, columns: int, lines: int, width: int
) -> None:
    """Columns in strips of a width, row by row, the rows that fit kept at the turns."""
    width = min(width, lines - 1, columns)
    strips = -(-columns // width)
    kept = min(rows, lines - width)
    loads = columns + strips * rows - (strips - 1) * kept
    assert least_line_loads(rows, columns, lines) <= loads


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (7, 8), (12, 12), (30, 20)])
@pytest.mark.parametrize("lines", [2, 3])
def test_strips_that_fill_the_chip_are_best_if_it_holds_two_or_three_lines(
    rows: int, columns: int, lines: int
) -> None:
    width = lines - 1
    expected = columns + columns // width * (rows - 1) + 1
    assert least_line_loads(max(rows, columns), min(rows, columns), lines) <= expected
    if width == 1 or min(rows, columns) == columns:
        assert least_line_loads(rows, columns, lines) == expected


def test_two_strips_are_best_down_to_the_memory_for_half_a_row() -> None:
    """28 x 28 outputs, 5 x 5 kernel, 79 pixels on chip: two strips of 14 load 106 pixels again."""
    layer = Layer(input=(1, 32, 32), kernels=1, kernel_shape=(5, 5))
    assert lower_bound(resident(layer, 25 + 79)).load_bytes == 25 + 32 * 32 + 106


@pytest.mark.parametrize(
    ("outputs", "kernel", "strides", "room"),
    [
        ((3, 3), (3, 3), (1, 1), 9),
        ((3, 3), (3, 3), (1, 1), 11),
        ((3, 3), (3, 2), (1, 1), 7),
        ((2, 4), (3, 3), (1, 1), 10),
        ((3, 3), (4, 3), (2, 1), 14),
        ((3, 3), (3, 3), (2, 2), 11),
        ((4, 2), (4, 4), (1, 1), 17),
    ],
)
def test_lines_prove_no_more_than_the_optimum(
    outputs: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], room: int
) -> None:
    height, width = ((outputs[a] - 1) * strides[a] + kernel[a] for a in (0, 1))
    layer = Layer(input=(1, height, width), kernels=1, kernel_shape=kernel, strides=strides)
    problem = resident(layer, kernel[0] * kernel[1] + room)
    view = View(problem, finest=True)
    extra = extra_loads(layer, problem.capacity, view.sizes, (1, 1))
    optimum = optimal_duration(problem)
    assert optimum is not None
    assert separator.extra_loads(view) <= extra <= optimum - compulsory_loads(problem)
    certificate = lower_bound(problem).certificate
    loads = {"bound": "lines", **view.name}
    assert verify_certificate(problem, certificate | {"loads": loads}) <= optimum


@given(small_layers(positions=80, kernel=5, single=True), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_more_room_never_raises_what_lines_prove(layer: Layer, room: int) -> None:
    for down, across in itertools.product(*(parts(layer, axis) for axis in (0, 1))):
        if min(len(down.low), len(across.low)) > 1:
            row, column = run_of(down), run_of(across)
            assert extra_pixels(row, column, room) >= extra_pixels(row, column, room + 1) >= 0
