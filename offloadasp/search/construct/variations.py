"""Variations of a constructive plan: one parameter changed at a time."""

from collections.abc import Iterator
from dataclasses import replace

from offloadasp.search.construct.blocking import Blocking, most_operations
from offloadasp.search.construct.packing.candidates import resplit
from offloadasp.search.construct.strips import even, evens
from offloadasp.search.construct.traversal import Traversal


def variations(
    blocking: Blocking, traversal: Traversal, most: int
) -> Iterator[tuple[Blocking, Traversal]]:
    """Yield blockings with a traversal each that differ from given ones in one respect.

    Parameters
    ----------
    most
        Operations at positions of a plan whose operations are split, at most.
    """
    if blocking.coarse is not None:
        for other in resplit(blocking, most):
            yield other, traversal
    else:
        yield replace(blocking, aligned=not blocking.aligned), traversal
        for size in _sizes(blocking):
            yield replace(blocking, size=size), traversal
        for residents in _residents(blocking):
            yield replace(blocking, residents=residents), traversal
    for sets in _near(blocking.sets, blocking.problem.exists.shape[0]):
        if blocking.sets > 1:
            yield replace(blocking, sets=sets), traversal
    yield from _shapes(blocking, traversal)


def smaller(size: int) -> Iterator[int]:
    """Yield step sizes from one downwards, ever sparser above the small ones."""
    while size > 0:
        yield size
        size = size - 1 if size <= 8 else size * 2 // 3


def _near(value: int, most: int) -> list[int]:
    return [near for near in (value - 1, value + 1, value - 2, value + 2) if 1 <= near <= most]


def _sizes(blocking: Blocking) -> list[int]:
    """Step sizes near the present one, and those that end with a region."""
    size, cells, most = blocking.size, blocking.cells, most_operations(blocking.problem)
    found = {size - 1, size + 1, size * 9 // 10, size * 11 // 10 + 1, most}
    found |= {size // cells * cells, -(-size // cells) * cells}
    found |= {-(-cells // parts) for parts in (-(-cells // size), cells // size) if parts > 0}
    return sorted({number for number in found if 1 <= number <= most} - {size}, reverse=True)


def _residents(blocking: Blocking) -> list[int]:
    """Numbers of kernel blocks that stay: all, none, and what a part of the memory holds."""
    problem = blocking.problem
    pairs = problem.exists.count
    if pairs == 1:
        return []
    sizes = problem.kernel_bytes[problem.exists.every()].cumsum()
    shares = (int((sizes <= problem.memory * part / 8).sum()) for part in range(1, 8))
    return sorted({0, pairs, *shares} - {blocking.residents})


def _shapes(blocking: Blocking, traversal: Traversal) -> Iterator[tuple[Blocking, Traversal]]:
    """Other regions: more or fewer strips, and lines of a region."""
    grid = blocking.problem.tile_grid
    length, across = grid if not blocking.transposed else grid[::-1]
    if blocking.whole:
        for other in evens(grid):
            yield blocking.along(other), other
        return
    for count in _near(blocking.strips, across):
        other = even(grid, count, transposed=blocking.transposed)
        yield blocking.along(other), other
    if blocking.lines > 1 or blocking.cells >= max(traversal.widths(grid)):
        for lines in _near(blocking.lines, length):
            cells = lines * max(traversal.widths(grid))
            yield replace(blocking, lines=lines, cells=cells), traversal
    else:
        for cells in _near(blocking.cells, across):
            yield replace(blocking, cells=cells), traversal
