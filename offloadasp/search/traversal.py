"""The order in which the output is visited, as ``encodings/traversal/*.lp`` define it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from offloadasp.errors import InputError
from offloadasp.problem import IntArray
from offloadasp.rules import Rules, ground


@dataclass(frozen=True, order=True)
class Traversal:
    """A traversal: the file of rules that defines it, and its parameters.

    Attributes
    ----------
    name
        ``row_by_row``, ``zigzag`` or ``strips``.
    strips
        Number of strips; 1 for the other traversals.
    transposed
        Whether the strips lie along the rows.
    width
        Tiles across every strip but the last; 0: widths that differ by at most one.
    onward
        Whether the first line of a strip goes on in the direction of the line before it.
    """

    name: str
    strips: int = 1
    transposed: bool = False
    width: int = 0
    onward: bool = True

    def widths(self, grid: tuple[int, int]) -> list[int]:
        """Return the widths of the strips on a grid (rows, columns) of tiles, in their order."""
        across = grid[0 if self.transposed else 1]
        if self.width:
            return [min(self.width, across - at) for at in range(0, across, self.width)]
        return [
            (k + 1) * across // self.strips - k * across // self.strips for k in range(self.strips)
        ]

    @property
    def text(self) -> str:
        """The traversal in a reader's words."""
        if self.name != "strips":
            return self.name.replace("_", " ")
        side = "row" if self.transposed else "column"
        wide = f" {self.width} wide" if self.width else ""
        return f"{self.strips} {side} strip{'s' if self.strips > 1 else ''}{wide}"

    @property
    def constants(self) -> list[str]:
        """The constants of ``strips.lp``, as options of clingo; none for the other traversals."""
        values = {
            "strips": self.strips,
            "width": self.width,
            "transposed": int(self.transposed),
            "onward": int(self.onward),
        }
        strips = self.name == "strips"
        return [f"-c {name}={value}" for name, value in values.items()] if strips else []


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
            f"grid({grid[0]}, {grid[1]}).",
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


def strips(grid: tuple[int, int], most: int) -> Iterator[Traversal]:
    """Yield strips of a grid, few first: every number up to ``most``, then ever sparser."""
    for count in range(1, max(grid) + 1):
        if count > most and count % (count // most * 4):
            continue
        for transposed in (False, True):
            across = grid[0 if transposed else 1]
            if count > across:
                continue
            widest = -(-across // count)
            uneven = across % widest and -(-across // widest) == count
            for onward in (True, False) if count > 1 else (True,):
                yield Traversal("strips", count, transposed, 0, onward)
                if uneven:
                    yield Traversal("strips", count, transposed, widest, onward)


def traversals(grid: tuple[int, int]) -> Iterator[Traversal]:
    """Yield the traversals of a grid: the two baselines, then strips of every number, few first."""
    yield ROW_BY_ROW
    yield ZIGZAG
    yield from strips(grid, max(grid))
