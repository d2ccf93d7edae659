"""Every traversal of encodings/traversal/ is a walk over all tiles, without needless jumps."""

from itertools import pairwise, product

import pytest

from offloadasp.rules import ground, shipped_rules
from offloadasp.search.traversal import ROW_BY_ROW, ZIGZAG, Traversal, Traversals, traversals

GRIDS = list(product(range(1, 7), range(1, 7)))
RULES = shipped_rules()
Tile = tuple[int, int]


def walk(grid: Tile, traversal: Traversal) -> list[Tile]:
    return [(int(i), int(j)) for i, j in Traversals(RULES).visits(grid, traversal)]


def strips(grid: Tile, traversal: Traversal) -> list[Tile]:
    """First and last cell of each strip, as strips.lp derives them."""
    control = ground(
        RULES,
        ["traversal/strips.lp"],
        f"grid({grid[0]}, {grid[1]}).",
        arguments=traversal.constants,
    )
    found = sorted(
        tuple(argument.number for argument in atom.symbol.arguments)
        for atom in control.symbolic_atoms.by_signature("strip", 3)
    )
    return [(first, last) for _, first, last in found]


@pytest.mark.parametrize("grid", GRIDS)
def test_every_traversal_visits_each_tile_once(grid: Tile) -> None:
    tiles = sorted(product(range(grid[0]), range(grid[1])))
    for traversal in traversals(grid):
        assert sorted(walk(grid, traversal)) == tiles, traversal


@pytest.mark.parametrize("grid", GRIDS)
def test_the_visits_are_numbered_from_zero_without_gaps(grid: Tile) -> None:
    for traversal in traversals(grid):
        control = ground(
            RULES,
            [f"traversal/{traversal.name}.lp"],
            f"grid({grid[0]}, {grid[1]}).",
            arguments=traversal.constants,
        )
        numbers = sorted(
            atom.symbol.arguments[2].number
            for atom in control.symbolic_atoms.by_signature("visit", 3)
        )
        assert numbers == list(range(grid[0] * grid[1])), traversal


@pytest.mark.parametrize("grid", GRIDS)
def test_row_by_row_reads_like_text(grid: Tile) -> None:
    assert walk(grid, ROW_BY_ROW) == sorted(product(range(grid[0]), range(grid[1])))


@pytest.mark.parametrize("grid", GRIDS)
def test_zigzag_never_leaves_the_neighbourhood(grid: Tile) -> None:
    for (i, j), (down, along) in pairwise(walk(grid, ZIGZAG)):
        assert abs(i - down) + abs(j - along) == 1


@pytest.mark.parametrize("grid", GRIDS)
def test_strips_cut_the_grid_into_the_widths_asked_for(grid: Tile) -> None:
    for traversal in traversals(grid):
        if traversal.name != "strips":
            continue
        found = strips(grid, traversal)
        assert len(found) == traversal.strips
        cells = [cell for first, last in found for cell in range(first, last + 1)]
        assert cells == list(range(grid[0 if traversal.transposed else 1]))
        widths = [last - first + 1 for first, last in found]
        if traversal.width:
            assert set(widths[:-1]) <= {traversal.width}
            assert widths[-1] <= traversal.width
        else:
            assert max(widths) - min(widths) <= 1
        assert min(widths) >= 1


@pytest.mark.parametrize("grid", GRIDS)
def test_strips_are_walked_one_after_the_other_from_neighbour_to_neighbour(grid: Tile) -> None:
    for traversal in traversals(grid):
        if traversal.name != "strips":
            continue
        # Lines cross the strips; where the strips lie along the rows a line is a column.
        turned = [(j, i) if traversal.transposed else (i, j) for i, j in walk(grid, traversal)]
        lines = grid[1 if traversal.transposed else 0]
        previous: tuple[Tile, int] | None = None
        ahead = 0
        for first, last in strips(grid, traversal):
            width = last - first + 1
            here, turned = turned[: lines * width], turned[lines * width :]
            assert set(here) == set(product(range(lines), range(first, last + 1)))
            for (line, cell), (next_line, next_cell) in pairwise(here):
                assert abs(line - next_line) + abs(cell - next_cell) == 1
            if previous is not None:
                (line, cell), before = previous
                assert here[0][0] == line, "a strip starts in the line where the last one ended"
                assert 0 < here[0][1] - cell < width + before
                if width > 1 and before > 1:
                    onward = (ahead > 0) == (here[1][1] > here[0][1])
                    assert onward == traversal.onward
            previous = here[-1], width
            ahead = here[-1][1] - here[-2][1] if width > 1 else 0
        assert not turned


def test_transposing_strips_transposes_the_walk() -> None:
    for rows, columns in GRIDS:
        for count in range(1, columns + 1):
            upright = walk((rows, columns), Traversal("strips", count))
            lying = walk((columns, rows), Traversal("strips", count, transposed=True))
            assert lying == [(j, i) for i, j in upright]
