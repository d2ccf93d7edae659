"""Lines: the rows and columns of output positions, as what a chip loads and keeps.

Every operation needs its row and its column, and the pixels that fit on the chip limit how many
lines it can keep. So the loads of lines by which each row can meet each column bound the loads of
pixels. Derivation: docs/bounds.md, section 8.
"""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from offloadasp.bounds.geometry.runs import Run, runs_of_parts
from offloadasp.bounds.geometry.sizes import Sizes
from offloadasp.model.instance import Layer

# Sizes of the step at a cut that are tried.
_MOST_SIZES = 32


@dataclass(frozen=True)
class Steps:
    """How many steps compute, and how much.

    Attributes
    ----------
    group
        At most so many operations in each step.
    count
        Exactly so many steps compute.
    """

    group: int
    count: int


def extra_loads(
    layer: Layer, memory: int, sizes: Sizes, tile: tuple[int, int], steps: Steps | None = None
) -> int:
    """Bound the bytes of pixels loaded beyond the first time, for each part by its lines.

    As with separators, parts and channel groups share no pixels, so that all add up; of each
    channel group the operations with one of its kernel groups are looked at.

    Parameters
    ----------
    layer, memory
        The layer and the bytes on chip.
    sizes, tile
        The decomposition that is looked at.
    steps
        Look only at strategies of that many steps; at all of them if None.
    """
    rows, columns = (runs_of_parts(layer, axis, tile[axis]) for axis in (0, 1))
    total = 0
    for kind in sizes.kinds:
        chip = _Chip(memory - kind.kernel_bytes[-1], kind.pixel_bytes, sizes.computing_bytes)
        for down, across in itertools.product(rows, columns):
            grids = itertools.product(down, across)
            extra = max((_extra(*grid, chip, steps) for grid in grids), default=0)
            total += rows[down] * columns[across] * kind.count * extra * kind.pixel_bytes
    return total


@dataclass(frozen=True)
class _Chip:
    """Bytes beside a kernel block, of a pixel block, and of an output block at least."""

    free: int
    pixel: int
    output: int

    def room(self, operations: int) -> int:
        """Pixels on chip during a step of so many operations."""
        return max(0, self.free - operations * self.output) // self.pixel


def _extra(row: Run, column: Run, chip: _Chip, steps: Steps | None) -> int:
    """Let the step at a cut hold some number of operations; smaller steps cost what they lack."""
    if steps is None:
        return extra_pixels(row, column, chip.room(1))
    spare = steps.group * steps.count - row.count * column.count
    each = row.growth * column.growth - (-chip.output // chip.pixel)
    first = max(1, min(steps.group, steps.group - spare))
    best = extra_pixels(row, column, chip.room(1))
    for size in range(max(2, first), min(steps.group, first + _MOST_SIZES) + 1):
        lacking = max(0, spare - (steps.group - size))
        best = max(best, extra_pixels(row, column, chip.room(size), size) - each * lacking)
    return best


def extra_pixels(row: Run, column: Run, room: int, operations: int = 1) -> int:
    """Bound the pixels of a grid of tiles that are loaded again, with room for so many of them.

    Parameters
    ----------
    row, column
        The rows and the columns of the grid.
    room
        Pixels on chip during a compute action; less than a tile uses counts as that many.
    operations
        How many operations on tiles of the grid a compute action holds at least.
    """
    grid = Grid.of(row, column)
    free = max(room - grid.shared - operations * grid.corner, grid.row + grid.column)
    used_at_least = grid.corner * (row.count * column.count) + grid.shared
    used_at_least += grid.row * row.count + grid.column * column.count
    extra = max(_turns(row.count, column.count, grid, free), _refills(row, column, grid, free))
    return max(0, extra - (row.used * column.used - used_at_least))


@dataclass(frozen=True)
class Grid:
    """What n tiles in a rows and b columns use: at least ``corner n + row a + column b + shared``.

    A tile adds ``corner``, a new row ``row``, a new column ``column``.
    """

    corner: int
    row: int
    column: int
    shared: int

    @staticmethod
    def of(row: Run, column: Run) -> "Grid":
        """Return the pixels of the grid with these rows and columns."""
        rest_row, rest_column = row.least - row.growth, column.least - column.growth
        return Grid(
            row.growth * column.growth,
            row.growth * rest_column,
            column.growth * rest_row,
            rest_row * rest_column,
        )


def _turns(rows: int, columns: int, grid: Grid, free: int) -> int:
    """Cut where the first line is complete, and where the last one is begun."""
    if min(rows, columns) < 2:
        return 0
    across, down = grid.column * columns, grid.row * rows
    row_first = across + grid.row - free, across + grid.row * -(-rows // 2) - free
    column_first = down + grid.column - free, down + grid.column * -(-columns // 2) - free
    return max(0, min(min(2 * once, half) for once, half in (row_first, column_first)))


def _refills(row: Run, column: Run, grid: Grid, free: int) -> int:
    """Count loads of lines, each at the pixels of the cheaper kind of line.

    The room is that of a number of lines between two integers, and so is what is loaded.
    """
    unit = min(grid.row, grid.column)
    if unit == 0:
        return 0
    lines, more = divmod(free, unit)
    fewer, several = (least_line_loads(row.count, column.count, lines + k) for k in (0, 1))
    return (unit - more) * fewer + more * several - unit * (row.count + column.count)


def least_line_loads(rows: int, columns: int, lines: int) -> int:
    """Bound the loads of lines by which every row meets every column.

    Parameters
    ----------
    rows, columns
        Lines of both kinds. Each row must at some time be on chip together with each column.
    lines
        The most lines on chip at any time; at least 2.

    Returns
    -------
    int
        How often lines are loaded at least, the first time included.
    """
    least = _line_loads(rows, columns)
    return least[min(lines, len(least) - 1)]


@lru_cache(maxsize=64)
def _line_loads(rows: int, columns: int) -> tuple[int, ...]:
    """Bound for each number of lines on chip, from 0; numbers below 2 repeat that for 2.

    More lines on chip never cost more, which the formulas alone do not see.
    """
    single = Grid(corner=0, row=1, column=1, shared=0)
    once = rows + columns
    found = [once]
    for lines in range(once - 1, 1, -1):
        missed = missed_meetings(min(rows, columns), lines - 1)
        refills = -(-(rows * columns + missed) // (lines - 1))
        found.append(max(found[-1], once + _turns(rows, columns, single, lines), refills))
    return (found[-1], found[-1], *reversed(found))


def missed_meetings(residents: int, gain: int) -> int:
    """Bound the meetings that loads of lines miss, of ``gain`` that each could bring at best.

    Parameters
    ----------
    residents
        Loads of columns that are on chip when a row is loaded later, counted from below.
    gain
        Lines on chip less one.
    """
    root = isqrt(gain)
    # Missed for each resident, at best: p - 2 + gain / p, here over the denominator p.
    rate, per = min(((p * (p - 2) + gain, p) for p in (root, root + 1)), key=lambda r: Fraction(*r))
    whole, rest = divmod(rate, per)
    steady = rate * residents - (whole + 1) * rest
    steady += per * (gain + (gain - 1 - whole) * (gain - whole) // 2)
    return min(-(-steady // per), (whole + 1) * residents + gain)
