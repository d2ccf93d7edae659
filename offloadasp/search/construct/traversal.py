"""The order in which the tiles of the output are visited."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from offloadasp.base.arrays import IntArray


class Strip(NamedTuple):
    """A strip: tiles across it, and how its lines go.

    Attributes
    ----------
    width
        Tiles across.
    right
        Whether the first line goes to the right.
    turning
        Whether each line goes the other way than the one before it, or all go the same way.
    """

    width: int
    right: bool = True
    turning: bool = True


@dataclass(frozen=True, order=True)
class Traversal:
    """A traversal: a name and, of strips, how they are walked.

    Row by row, every row of tiles goes from left to right, like text; in a zigzag, rows go from
    left to right and from right to left in turn. Strips are walked one after the other, the first
    one downwards, the next one upwards, and so on.

    Attributes
    ----------
    name
        ``row_by_row``, ``zigzag`` or ``strips``.
    strips
        From left to right, or from top to bottom if transposed; none for the other traversals.
    transposed
        Whether the strips lie along the rows.
    """

    name: str
    strips: tuple[Strip, ...] = ()
    transposed: bool = False

    def widths(self, grid: tuple[int, int]) -> list[int]:
        """Return the widths of the strips on a grid (rows, columns) of tiles, in their order."""
        if self.name != "strips":
            return [grid[1]]
        return [strip.width for strip in self.strips]


ROW_BY_ROW = Traversal("row_by_row")
ZIGZAG = Traversal("zigzag")


def visits(grid: tuple[int, int], traversal: Traversal) -> IntArray:
    """Return the tiles of a grid (rows, columns) in the order of their visit.

    Returns
    -------
    array of int, shape (rows × columns, 2)
        Rows ``(I, J)``.
    """
    if traversal.name != "strips":
        turning = traversal == ZIGZAG
        return visits(grid, Traversal("strips", (Strip(grid[1], turning=turning),)))
    lines = grid[1] if traversal.transposed else grid[0]
    place, first, parts = np.arange(lines), 0, []
    for s, (width, right, turning) in enumerate(traversal.strips):
        line = place if s % 2 == 0 else lines - 1 - place
        to_right = (right + turning * place) % 2 == 1
        cell = np.where(to_right[:, None], np.arange(width), np.arange(width)[::-1])
        parts.append(np.column_stack([line.repeat(width), first + cell.ravel()]))
        first += width
    order = np.concatenate(parts)
    return order[:, ::-1] if traversal.transposed else order
