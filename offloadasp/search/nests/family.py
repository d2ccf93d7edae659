"""The family of two-level loop nests: which tile, in which order, and what of it stays on chip.

A *tile* is a box of output rows, output columns, kernels, channels and, in a grouped convolution,
groups: kernels and channels are counted within a group. Kernel taps are not cut. Loops over the
tiles turn round each time they start anew, so that two tiles in a row differ in one loop, by one.
Within a tile everything is loaded once. From one tile to the next an operand that is *whole* keeps
what both need; of one that *streams* only a working set is on chip, and nothing is kept.
"""

from dataclasses import dataclass
from typing import Literal

Loop = Literal["g", "p", "q", "m", "c"]
"""A loop over groups, output rows, output columns, kernels, channels."""

LOOPS: tuple[Loop, ...] = ("g", "p", "q", "m", "c")

Operand = Literal["inputs", "weights", "biases", "outputs"]

REACHED: dict[Operand, frozenset[Loop]] = {
    "inputs": frozenset({"g", "p", "q", "c"}),
    "weights": frozenset({"g", "m", "c"}),
    "biases": frozenset({"g", "m", "c"}),
    "outputs": frozenset({"g", "p", "q", "m"}),
}
"""The loops that lead to other data of an operand."""

Walk = Literal["any", "kernels", "rows", "columns", "channels"]
Depth = Literal["together", "at each position", "one by one"]


@dataclass(frozen=True)
class Mode:
    """What of a tile is on chip at a time, and in which order the tile is computed.

    Attributes
    ----------
    inputs, weights, outputs
        Whether all of the tile's are on chip, and kept from tile to tile where both need them.
        Outputs that are not whole are computed one at a time: completed at once where the tile
        has all channels, else written as partial sums in every tile.
    walk
        What the computation of a tile goes over first: kernels, positions along rows or along
        columns with a line buffer, or channels; ``any``: it is of no matter.
    depth
        How a walk over positions takes the channels: ``together``; ``at each position`` one after
        the other, with the partial sums of one position on chip; or ``one by one``, each a walk
        over all positions.
    """

    inputs: bool
    weights: bool
    outputs: bool
    walk: Walk
    depth: Depth = "together"


_LINES: tuple[Walk, Walk] = ("rows", "columns")
MODES = (
    Mode(True, True, True, "any"),
    Mode(True, True, False, "any"),
    Mode(True, False, True, "kernels"),
    Mode(True, False, False, "kernels"),
    *(Mode(False, True, outputs, walk) for walk in _LINES for outputs in (False, True)),
    *(Mode(False, True, False, walk, "at each position") for walk in _LINES),
    *(Mode(False, True, True, walk, "one by one") for walk in _LINES),
    Mode(False, True, True, "channels"),
    Mode(False, False, True, "channels"),
)
"""Every mode of the family."""


@dataclass(frozen=True)
class Mapping:
    """A member of the family.

    Attributes
    ----------
    sizes
        Groups, output rows, output columns, kernels and channels of a tile; the last tile along
        each loop may be smaller.
    rounds
        Tiles along each loop.
    order
        The loops, outermost first.
    mode
        What of a tile is on chip.
    loaded, written, actions
        Bytes loaded and written, exactly, and compute actions where none reaches over two tiles.
    """

    sizes: tuple[int, int, int, int, int]
    rounds: tuple[int, int, int, int, int]
    order: tuple[Loop, ...]
    mode: Mode
    loaded: int
    written: int
    actions: int

    @property
    def turning(self) -> tuple[Loop, ...]:
        """The loops that go round more than once, outermost first."""
        return tuple(loop for loop in self.order if self.rounds[LOOPS.index(loop)] > 1)

    def size(self, loop: Loop) -> int:
        """Return the size of a tile along a loop."""
        return self.sizes[LOOPS.index(loop)]


@dataclass(frozen=True)
class BestNest:
    """The best loop nest found, as a baseline, and what its search says of the family.

    Attributes
    ----------
    complete
        Whether nothing in the family costs less, at the prices of the search.
    tried
        Members looked at.
    """

    mapping: Mapping
    complete: bool
    tried: int


_NAMES: dict[Loop, str] = {
    "g": "groups",
    "p": "rows",
    "q": "columns",
    "m": "kernels",
    "c": "channels",
}


def words(mapping: Mapping) -> str:
    """Return a mapping in the usual words: tile sizes, loop order, what stays on chip."""
    g, p, q, m, c = mapping.sizes
    groups = f", {g} groups" if g > 1 or mapping.rounds[0] > 1 else ""
    tile = f"tile {p}x{q}, kernels {m}, channels {c}{groups}"
    loops = ", ".join(_NAMES[loop] for loop in mapping.turning)
    order = f"loops over {loops}" if loops else "one tile"
    return f"{tile}; {order}; {_staying(mapping)}"


def _staying(mapping: Mapping) -> str:
    mode = mapping.mode
    whole = [name for name in ("inputs", "weights", "outputs") if getattr(mode, name)]
    streaming = [name for name in ("inputs", "weights") if not getattr(mode, name)]
    parts = []
    if whole:
        stay = "stay" if len(whole) > 1 or whole[0].endswith("s") else "stays"
        parts.append(f"{_listed(whole)} {stay}")
    if streaming:
        parts.append(f"{_listed(streaming)} stream")
    if not mode.outputs:
        complete = mapping.rounds[LOOPS.index("c")] == 1
        parts.append("outputs complete at once" if complete else "partial sums leave each tile")
    return ", ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
