"""The order in which the output is visited, as ``encodings/traversal/*.lp`` define it."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from offloadasp.asp.rules import Rules, ground
from offloadasp.base.arrays import IntArray
from offloadasp.base.errors import InputError


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
    """A traversal: the file of rules that defines it, and its parameters.

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

    @property
    def facts(self) -> str:
        """The strips as facts of ``strips.lp``; none for the other traversals."""
        return " ".join(
            f"strip({s}, {strip.width}, {int(strip.right)}, {int(strip.turning)})."
            for s, strip in enumerate(self.strips)
        )

    @property
    def constants(self) -> list[str]:
        """The constants of ``strips.lp``, as options of clingo; none for the other traversals."""
        return [f"-c transposed={int(self.transposed)}"] if self.name == "strips" else []


ROW_BY_ROW = Traversal("row_by_row")
ZIGZAG = Traversal("zigzag")


@dataclass(frozen=True)
class Traversals:
    """Asks the rules for visiting orders, and remembers the answers."""

    rules: Rules
    known: dict[tuple[tuple[int, int], Traversal], IntArray] = field(default_factory=dict)

    def visits(self, grid: tuple[int, int], traversal: Traversal) -> IntArray:
        """Return the tiles of a grid (rows, columns) in the order of their visit.

        Returns
        -------
        array of int, shape (rows × columns, 2)
            Rows ``(I, J)``.

        Raises
        ------
        InputError
            The rules do not visit every tile exactly once.
        """
        if (grid, traversal) not in self.known:
            self.known[grid, traversal] = self._ask(grid, traversal)
        return self.known[grid, traversal]

    def _ask(self, grid: tuple[int, int], traversal: Traversal) -> IntArray:
        control = ground(
            self.rules,
            [f"traversal/{traversal.name}.lp"],
            f"grid({grid[0]}, {grid[1]}). {traversal.facts}",
            arguments=traversal.constants,
        )
        found = np.array(
            [
                [argument.number for argument in atom.symbol.arguments]
                for atom in control.symbolic_atoms.by_signature("visit", 3)
            ],
            dtype=np.int64,
        ).reshape(-1, 3)
        order = found[np.argsort(found[:, 2], kind="stable"), :2]
        tiles = order[:, 0] * grid[1] + order[:, 1]
        if not np.array_equal(np.sort(tiles), np.arange(grid[0] * grid[1])):
            path = self.rules.folder / "traversal" / f"{traversal.name}.lp"
            raise InputError(f"{path}: must visit every tile exactly once")
        return order
