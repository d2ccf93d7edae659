"""Every traversal is a walk over all tiles, without needless jumps."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.search.construct import traversal as traversals
from offloadasp.search.construct.strips import even, evens, neighbours, trials, variants
from offloadasp.search.construct.traversal import ROW_BY_ROW, ZIGZAG, Strip, Traversal

GRIDS = list(product(range(1, 8), range(1, 10)))
Tile = tuple[int, int]


def visits(grid: Tile, traversal: Traversal) -> list[Tile]:
    return [(int(i), int(j)) for i, j in traversals.visits(grid, traversal)]


def by_loops(grid: Tile, traversal: Traversal) -> list[Tile]:
    """The tiles in the order of strips, line by line: down the first strip, up the next one.

    Lines cross the strips; where the strips lie along the rows a line is a column.
    """
    lines = list(range(grid[1 if traversal.transposed else 0]))
    found, first = [], 0
    for s, strip in enumerate(traversal.strips):
        right = strip.right
        for line in lines if s % 2 == 0 else reversed(lines):
            cells = list(range(first, first + strip.width))
            walked = cells if right else cells[::-1]
            found += [(cell, line) if traversal.transposed else (line, cell) for cell in walked]
            right = right != strip.turning
        first += strip.width
    return found


@st.composite
def strips(draw: st.DrawFn) -> tuple[Tile, Traversal]:
    """A grid cut into strips of any widths, whose lines go anyhow."""
    grid = draw(st.tuples(st.integers(1, 7), st.integers(1, 9)))
    transposed = draw(st.booleans())
    left, cut = grid[0 if transposed else 1], []
    while left:
        width = draw(st.integers(1, left))
        cut.append(Strip(width, draw(st.booleans()), draw(st.booleans())))
        left -= width
    return grid, Traversal("strips", tuple(cut), transposed)


@pytest.mark.parametrize("grid", GRIDS)
def test_baselines_and_even_strips_visit_each_tile_once(grid: Tile) -> None:
    tiles = sorted(product(range(grid[0]), range(grid[1])))
    for traversal in (ROW_BY_ROW, ZIGZAG, *evens(grid)):
        assert sorted(visits(grid, traversal)) == tiles, traversal


@pytest.mark.parametrize("grid", GRIDS)
def test_row_by_row_reads_like_text(grid: Tile) -> None:
    assert visits(grid, ROW_BY_ROW) == sorted(product(range(grid[0]), range(grid[1])))


@pytest.mark.parametrize("grid", GRIDS)
def test_zigzag_never_leaves_the_neighbourhood(grid: Tile) -> None:
    for (i, j), (down, along) in pairwise(visits(grid, ZIGZAG)):
        assert abs(i - down) + abs(j - along) == 1


@pytest.mark.parametrize("grid", GRIDS)
def test_zigzag_begins_like_text_and_turns_at_the_end_of_every_row(grid: Tile) -> None:
    rows, columns = grid
    there, back = range(columns), range(columns - 1, -1, -1)
    assert visits(grid, ZIGZAG) == [
        (i, j) for i in range(rows) for j in (there if i % 2 == 0 else back)
    ]


@pytest.mark.parametrize("grid", GRIDS)
def test_even_strips_and_their_variants_are_walked_line_by_line(grid: Tile) -> None:
    for strips_ in evens(grid):
        for traversal in (strips_, *variants(grid, strips_)):
            assert visits(grid, traversal) == by_loops(grid, traversal)


@settings(max_examples=60, deadline=None)
@given(strips())
def test_any_strips_are_walked_line_by_line(drawn: tuple[Tile, Traversal]) -> None:
    grid, traversal = drawn
    assert visits(grid, traversal) == by_loops(grid, traversal)


@settings(max_examples=30, deadline=None)
@given(strips())
def test_transposing_strips_transposes_the_walk(drawn: tuple[Tile, Traversal]) -> None:
    grid, traversal = drawn
    turned = Traversal("strips", traversal.strips, not traversal.transposed)
    assert visits(grid[::-1], turned) == [(j, i) for i, j in visits(grid, traversal)]


@pytest.mark.parametrize("grid", GRIDS)
def test_even_strips_differ_by_at_most_one_and_go_on_from_neighbour_to_neighbour(
    grid: Tile,
) -> None:
    for count, transposed in product(range(1, 8), (False, True)):
        lines, across = grid[::-1] if transposed else grid
        if count > across:
            continue
        traversal = even(grid, count, transposed=transposed)
        widths = [strip.width for strip in traversal.strips]
        assert (len(widths), sum(widths)) == (count, across)
        assert widths == sorted(widths)
        assert widths[-1] - widths[0] <= 1
        previous = None
        for s, chunk in enumerate(
            np.split(traversals.visits(grid, traversal), np.cumsum(widths)[:-1] * lines)
        ):
            rows, columns = chunk.T[::-1] if transposed else chunk.T
            assert (abs(np.diff(rows)) + abs(np.diff(columns)) == 1).all()
            if previous is not None:
                assert rows[0] == previous[0], "a strip starts in the line where the last one ended"
                if min(widths[s - 1 : s + 1]) > 1:
                    assert columns[1] - columns[0] == previous[1], "and goes on in its direction"
            previous = rows[-1], columns[-1] - columns[-2] if widths[s] > 1 else 0


@settings(max_examples=60, deadline=None)
@given(strips())
def test_variants_and_neighbours_cut_the_same_grid(drawn: tuple[Tile, Traversal]) -> None:
    grid, traversal = drawn
    across = grid[0 if traversal.transposed else 1]
    for other in (*variants(grid, traversal), *neighbours(traversal)):
        assert other.transposed == traversal.transposed
        assert len(other.strips) == len(traversal.strips)
        assert min(strip.width for strip in other.strips) >= 1
        assert sum(strip.width for strip in other.strips) == across


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**31))
def test_the_search_ends_at_strips_without_better_neighbours(
    rows: int, columns: int, seed: int
) -> None:
    def judge(traversal: Traversal) -> int | None:
        """Any cost will do, if it is always the same."""
        cost = hash((traversal, seed)) % 100
        return None if cost < 20 else cost

    costs: dict[Traversal, int | None] = {}
    search = trials((rows, columns), evens((rows, columns)))
    traversal = next(search)
    while True:
        assert traversal not in costs, "nothing is tried twice"
        costs[traversal] = judge(traversal)
        try:
            traversal = search.send(costs[traversal])
        except StopIteration:
            break
    fitting = {traversal: cost for traversal, cost in costs.items() if cost is not None}
    if fitting:
        best = min(fitting, key=lambda traversal: fitting[traversal])
        assert set(neighbours(best)) <= set(costs)
