"""Blocked plans: regions of the output inside loops over groups."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.strips import even
from offloadasp.search.construct.traversal import Traversal


@dataclass(frozen=True)
class Blocking:
    """A decomposition, loops over it, regions of the output, and how much a step computes.

    Attributes
    ----------
    problem
        The layer, decomposed.
    nest, sets
        See :func:`~offloadasp.search.construct.order.order_of`.
    strips
        The output is cut into so many strips of about equal width.
    transposed
        Whether the strips lie along the rows.
    lines
        Lines of a strip that form a region.
    cells
        Tiles of a region, at most; it matters where a region is a part of one line.
    size
        Operations per step, at most.
    aligned
        Whether no step begins within a region and ends beyond it.
    residents
        Kernel blocks that stay on chip from first to last use.
    """

    problem: Problem
    nest: str
    sets: int
    strips: int
    transposed: bool
    lines: int
    cells: int
    size: int
    aligned: bool = False
    residents: int = 0

    @property
    def traversal(self) -> Traversal:
        """The path that the estimate is made for."""
        return even(self.problem.tile_grid, self.strips, transposed=self.transposed)

    @property
    def straight(self) -> bool:
        """Whether the regions lie on lines that cross the whole output from left to right."""
        return self.strips == 1 and not self.transposed

    @property
    def whole(self) -> bool:
        """Whether every strip is one region."""
        rows, columns = self.problem.tile_grid
        length, across = (columns, rows) if self.transposed else (rows, columns)
        return self.lines >= length and self.cells >= length * -(-across // self.strips)

    @property
    def patience(self) -> int:
        """Steps from a use of a kernel block to the next one in the next region, within a set."""
        if self.sets == 1:
            return 1
        each = -(-len(self.problem.kernel_sizes) // self.sets)
        return -(-each * self.cells // self.size) + 1

    def straightened(self) -> "Blocking":
        """Return the same loops and steps, with regions of whole rows of about as many tiles."""
        columns = self.problem.tile_grid[1]
        lines = max(1, self.cells // columns)
        cells = min(self.cells, lines * columns)
        return replace(self, strips=1, transposed=False, lines=lines, cells=cells)

    def at(self, memory: int) -> "Blocking":
        """Return the same blocking at another memory in bytes."""
        return replace(self, problem=self.problem.within(memory))

    def along(self, traversal: Traversal) -> "Blocking":
        """Return the same loops and steps for other strips; whole lines and strips stay whole."""
        grid, widths = self.problem.tile_grid, traversal.widths(self.problem.tile_grid)
        length = grid[1] if traversal.transposed else grid[0]
        if self.whole:
            lines, cells = max(grid), grid[0] * grid[1]
        else:
            lines, cells = min(self.lines, length), self.cells
            if self.lines > 1 or self.cells >= max(self.traversal.widths(grid)):
                cells = lines * max(widths)
        changed = replace(self, strips=len(widths), transposed=traversal.transposed)
        return replace(changed, lines=lines, cells=cells)

    def regions(self, widths: Sequence[int]) -> IntArray:
        """Return where regions begin on a path through strips of these widths, line by line."""
        grid = self.problem.tile_grid
        length = grid[1] if self.transposed else grid[0]
        count = -(-length // self.lines)
        bands = np.arange(count) * length // count
        starts: list[IntArray] = []
        begin = 0
        for width in widths:
            pieces = np.arange(0, width, self.cells) if self.cells < width else np.zeros(1, int)
            starts.append((begin + bands[:, None] * width + pieces).ravel())
            begin += length * width
        return np.concatenate(starts)


def most_operations(problem: Problem, *, smallest: bool = False) -> int:
    """Return how many operations of the largest, or smallest, kind fit into a compute action."""
    height, width = problem.decomposition.tile
    macs = problem.operation_macs
    work = (macs.min() if smallest else macs.max()) * height * width
    everything = int(np.prod(problem.tile_grid)) * problem.exists.count
    return min(problem.accelerator.macs_per_step // work, everything)
