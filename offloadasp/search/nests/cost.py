"""What nests cost, in closed form: bytes exactly, the memory they need, and compute actions.

Everything is an array with one entry a tile of the family. Loops turn round, so two tiles in a row
differ in one loop by one; when loop l goes on, a loop k inside it stands at one of its two ends.
Parities tell at which: with an even number of tiles in the loops between them, k is back at its
first tile; with an odd number, k is at its last tile where l goes on from an even one, and at its
first tile otherwise. So a sum over all pairs of neighbours is a product.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import mul

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.nests.axes import Axis, Measure, plain_axis, spatial_axis
from offloadasp.search.nests.family import LOOPS, REACHED, Loop, Mode, Operand


@dataclass(frozen=True)
class Sizes:
    """Bytes and limits of a layer that the costs need.

    Attributes
    ----------
    taps
        Of a kernel window.
    windows
        Kernel windows that a compute action does.
    memory
        Bytes on chip.
    input, weight, output, partial
        Bytes of an element.
    bias
        Bytes of a kernel's bias; 0 without.
    outputs
        All outputs, in elements.
    """

    taps: int
    windows: int
    memory: int
    input: int
    weight: int
    output: int
    partial: int
    bias: int
    outputs: int

    @property
    def largest(self) -> int:
        """Bytes of an output while its last partial sum is completed."""
        return max(self.output, self.partial)

    @property
    def slice(self) -> int:
        """Bytes of one channel of one kernel, with its bias."""
        return self.taps * self.weight + self.bias


def sizes_of(problem: Problem) -> Sizes:
    """Return the sizes of a problem."""
    layer, precision = problem.layer, problem.precision
    taps = layer.kernel_shape[0] * layer.kernel_shape[1]
    return Sizes(
        taps,
        problem.accelerator.macs_per_step // taps,
        problem.memory,
        precision.input,
        precision.weight,
        precision.output,
        precision.partial_sum,
        precision.partial_sum if layer.bias else 0,
        layer.kernels * problem.positions,
    )


def axes_of(problem: Problem) -> dict[Loop, Axis]:
    """Return the tables of all loops, with every tile size."""
    layer = problem.layer
    rows, columns = (_mask(problem, axis) for axis in (0, 1))
    return {
        "g": plain_axis(layer.group),
        "p": spatial_axis(rows),
        "q": spatial_axis(columns),
        "m": plain_axis(layer.kernels // layer.group),
        "c": plain_axis(layer.input[0] // layer.group, channels=True),
    }


def _mask(problem: Problem, axis: int) -> BoolArray:
    """Return which input rows (0) or columns (1) each output row or column reads."""
    listed = problem.reads[axis].listed()
    mask = np.zeros((len(listed), problem.layer.input[1 + axis]), dtype=np.bool_)
    output, tap = np.nonzero(listed >= 0)
    mask[output, listed[output, tap]] = True
    return mask


@dataclass(frozen=True)
class Tiles:
    """Tiles of the family: for each loop the index of a size in its axis, shape (tiles,)."""

    sizes: Sizes
    axes: ReadOnly[Loop, Axis]
    index: ReadOnly[Loop, IntArray]

    def at(self, chosen: BoolArray | IntArray) -> "Tiles":
        """Return some of the tiles."""
        return replace(self, index={loop: index[chosen] for loop, index in self.index.items()})

    def __len__(self) -> int:
        return len(self.index["c"])

    def size(self, loop: Loop) -> IntArray:
        """Return the size of the tiles along a loop."""
        return self.axes[loop].size[self.index[loop]]

    def rounds(self, loop: Loop) -> IntArray:
        """Return the number of tiles along a loop."""
        return self._rounds[loop]

    @cached_property
    def _rounds(self) -> dict[Loop, IntArray]:
        return {loop: self.axes[loop].rounds[index] for loop, index in self.index.items()}

    @cached_property
    def measures(self) -> dict[tuple[Operand, Loop], Measure]:
        """What tiles hold of each operand along each loop that leads to other data of it."""
        return {
            (operand, loop): self.axes[loop].measures[operand].at(self.index[loop])
            for operand, loops in REACHED.items()
            for loop in loops
        }

    def most(self, operand: Operand) -> IntArray:
        """Return the elements of an operand in the largest tile."""
        return product(self.measures[operand, loop].most for loop in REACHED[operand])

    def visited(self, operand: Operand) -> IntArray:
        """Return the elements of an operand in all tiles, each tile counted apart."""
        return product(
            self.measures[operand, loop].total if loop in REACHED[operand] else self.rounds(loop)
            for loop in LOOPS
        )

    def shared(self, operand: Operand, order: Sequence[Loop]) -> IntArray:
        """Return the elements that two tiles in a row both hold, added up over all such pairs."""
        total = np.zeros(len(self), dtype=np.int64)
        for place, loop in enumerate(order):
            pairs = self._pairs(operand, loop)
            if pairs is None:
                continue
            outer = product(
                self.measures[operand, k].again if k in REACHED[operand] else self.rounds(k)
                for k in order[:place]
            )
            first = last = np.ones(1, dtype=np.int64)
            odd = np.ones(1, dtype=np.bool_)
            for k in order[place + 1 :]:
                if k in REACHED[operand]:
                    measure = self.measures[operand, k]
                    last = last * np.where(odd, measure.last, measure.first)
                    first = first * measure.first
                odd = odd & (self.rounds(k) % 2 == 1)
            total += outer * (pairs[0] * last + pairs[1] * first)
        return total

    def beside(self, loop: Loop) -> IntArray:
        """Return the inputs that tiles beside each other along a loop share, if all others stay."""
        pairs = self.measures["inputs", loop]
        return (pairs.even + pairs.odd) * product(
            self.measures["inputs", k].again if k in REACHED["inputs"] else self.rounds(k)
            for k in LOOPS
            if k != loop
        )

    def largest(self, operand: Operand) -> IntArray:
        """Return the elements of an operand that the largest tile may hold."""
        ends = (self.measures[operand, loop] for loop in REACHED[operand])
        return product(np.maximum(one.most, np.maximum(one.first, one.last)) for one in ends)

    def transfers(self, mode: Mode, order: Sequence[Loop]) -> tuple[IntArray, IntArray]:
        """Return the bytes that nests load and write, exactly."""
        sizes = self.sizes
        loaded = sizes.input * self._loaded("inputs", order if mode.inputs else None)
        weights = order if mode.weights else None
        loaded = loaded + sizes.weight * sizes.taps * self._loaded("weights", weights)
        if sizes.bias:
            loaded = loaded + sizes.bias * self._loaded("biases", weights)
        away = self.visited("outputs") - sizes.outputs
        if mode.outputs:
            away = away - self.shared("outputs", order)
        spilled = sizes.partial * away
        return loaded + spilled, sizes.output * sizes.outputs + spilled

    def _loaded(self, operand: Operand, kept: Sequence[Loop] | None) -> IntArray:
        apart = self.visited(operand)
        return apart if kept is None else apart - self.shared(operand, kept)

    def _pairs(self, operand: Operand, loop: Loop) -> tuple[IntArray, IntArray] | None:
        """Return what neighbours along a loop share, from even and odd tiles; None: nothing."""
        if loop not in REACHED[operand]:
            rounds = self.rounds(loop)
            return rounds // 2, (rounds - 1) // 2
        if operand == "inputs" and loop in ("p", "q"):
            measure = self.measures[operand, loop]
            return measure.even, measure.odd
        return None


def product(factors: Iterable[IntArray]) -> IntArray:
    """Multiply arrays elementwise; 1 without any."""
    return reduce(mul, factors, np.ones(1, dtype=np.int64))


@dataclass(frozen=True)
class Needs:
    """The memory that tiles need in a mode, in bytes of the largest tile, shape (tiles,).

    Attributes
    ----------
    least
        With the smallest compute actions that the mode allows.
    kernel
        Of one kernel of the tile.
    result
        Of one output when it is computed: complete, or a partial sum.
    cell
        Of the inputs that one more position of a walk over positions brings.
    """

    least: IntArray
    kernel: IntArray
    result: IntArray
    cell: IntArray

    def at(self, chosen: BoolArray | IntArray) -> "Needs":
        """Return what some of the tiles need."""
        return Needs(
            self.least[chosen], self.kernel[chosen], self.result[chosen], self.cell[chosen]
        )


def needs(tiles: Tiles, mode: Mode) -> Needs:
    """Return what tiles need on chip."""
    sizes = tiles.sizes
    channels, groups = tiles.size("c"), tiles.size("g")
    kernel = channels * sizes.taps * sizes.weight + sizes.bias
    weights = groups * tiles.size("m") * kernel
    if not mode.weights:
        weights = np.full_like(kernel, sizes.slice) if mode.outputs else kernel
    complete = tiles.rounds("c") == 1
    result = np.where(complete, sizes.output, sizes.largest)
    held = np.where(complete & (channels == 1), sizes.output, sizes.largest)
    sums = result
    if mode.outputs:
        sums = held * tiles.most("outputs")
    elif mode.depth == "at each position":
        sums = held * groups * tiles.size("m")
    inputs, cell = sizes.input * tiles.most("inputs"), np.zeros_like(kernel)
    if mode.walk in ("rows", "columns"):
        inputs, cell = _line_buffer(tiles, mode, inputs)
    elif mode.walk == "channels":
        inputs = inputs // (channels * groups)
    return Needs(inputs + weights + sums, kernel, result, cell)


def _line_buffer(tiles: Tiles, mode: Mode, inputs: IntArray) -> tuple[IntArray, IntArray]:
    """Bytes of inputs while a window walks over a tile, and what one more position brings."""
    along: Loop = "q" if mode.walk == "rows" else "p"
    across: Loop = "p" if mode.walk == "rows" else "q"
    kept, fresh = (
        getattr(tiles.axes[across], name)[tiles.index[across]] for name in ("kept", "fresh")
    )
    length = tiles.measures["inputs", along].most
    depth = tiles.size("c") * tiles.size("g")
    reach = np.minimum(tiles.axes[along].reach[tiles.index[along]], length)
    step = np.minimum(np.maximum(1, tiles.axes[along].fresh[tiles.index[along]]), reach)
    if mode.depth == "one by one":
        inputs, depth = inputs // depth, np.ones_like(depth)
    buffer = (kept * length + fresh * reach) * depth
    if mode.depth == "at each position":
        # What is new at a position is there for one channel only; the least that is new counts.
        new = np.minimum(np.maximum(1, tiles.axes[along].brings[tiles.index[along]]), step)
        buffer = (kept * length + fresh * (reach - new)) * depth + fresh * new
    return np.minimum(inputs, tiles.sizes.input * buffer), tiles.sizes.input * fresh * step * depth
