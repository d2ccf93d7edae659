"""Which input rows (columns) each output row (column) reads: as intervals, without a mask of both.

Inputs that lie a dilation apart are numbered one after the other. In this numbering each output
reads an interval, and both its ends grow from one output to the next that reads of the same class.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.instance import Layer


@dataclass(frozen=True, eq=False)
class Reads:
    """What the outputs along one axis read; padding is left out.

    Attributes
    ----------
    inputs
        Input lines.
    dilation
        Lines from one tap to the next.
    period
        Outputs from one that reads of a class of inputs to the next one that does.
    residue
        Of each output the class of the inputs it reads, modulo the dilation, shape (outputs,).
    low, high
        Half-open interval of the inputs of its class that each output reads, shape (outputs,);
        the one of number k is ``residue + k · dilation``.
    """

    inputs: int
    dilation: int
    period: int
    residue: IntArray
    low: IntArray
    high: IntArray

    @cached_property
    def counts(self) -> IntArray:
        """Inputs that each output reads, shape (outputs,)."""
        return self.high - self.low

    @property
    def most(self) -> int:
        """Inputs that an output reads at most."""
        return int(self.counts.max())

    @cached_property
    def first(self) -> IntArray:
        """The first input that each output reads, shape (outputs,); ``inputs`` if it reads none."""
        return np.where(self.counts > 0, self.residue + self.low * self.dilation, self.inputs)

    @cached_property
    def last(self) -> IntArray:
        """The last input that each output reads, shape (outputs,); −1 if it reads none."""
        return np.where(self.counts > 0, self.residue + (self.high - 1) * self.dilation, -1)

    @cached_property
    def used(self) -> BoolArray:
        """Whether some output reads an input, shape (inputs,)."""
        lines = np.arange(self.inputs)
        by_class = np.lexsort([lines, lines % self.dilation])
        before = np.searchsorted(lines[by_class] % self.dilation, self.residue)
        change = np.zeros(self.inputs + 1, dtype=np.int64)
        np.add.at(change, before + self.low, 1)
        np.add.at(change, before + self.high, -1)
        used = np.zeros(self.inputs, dtype=np.bool_)
        used[by_class] = np.cumsum(change[:-1]) > 0
        return used

    def distinct(self, tile: int) -> IntArray:
        """Count the inputs that each run of ``tile`` outputs reads, the last one maybe shorter.

        Returns
        -------
        array of int, shape (ceil(outputs / tile),)
        """
        outputs, period = len(self.low), self.period
        new = self.counts.copy()
        if period < tile:
            at = np.arange(period, outputs)
            at = at[at // tile == (at - period) // tile]
            new[at] = np.maximum(
                0, self.high[at] - np.maximum(self.low[at], self.high[at - period])
            )
        return np.add.reduceat(new, np.arange(0, outputs, tile))

    def listed(self) -> IntArray:
        """Return the inputs of each output, filled up with −1: (outputs, at least 1)."""
        nth = np.arange(max(1, self.most))
        lines = self.residue[:, None] + (self.low[:, None] + nth) * self.dilation
        return np.where(nth < self.counts[:, None], lines, -1)

    def same(self, other: "Reads") -> bool:
        """Whether both axes are alike: as many inputs, and the same ones for each output."""
        mine, theirs = ((r.counts, r.first, r.last) for r in (self, other))
        return self.inputs == other.inputs and all(map(np.array_equal, mine, theirs))


@lru_cache(maxsize=64)
def reads_of(layer: Layer, axis: int) -> Reads:
    """Return what the outputs along the rows (axis 0) or columns (1) of a layer read."""
    inputs, outputs = layer.input[1 + axis], layer.output_shape[1 + axis]
    stride, taps = layer.strides[axis], layer.kernel_shape[axis]
    dilation = layer.dilations[axis] if taps > 1 else 1
    start = np.arange(outputs) * stride - layer.pads[axis]
    residue = start % dilation
    rows = np.maximum(0, -(-(inputs - residue) // dilation))
    place = (start - residue) // dilation
    return Reads(
        inputs=inputs,
        dilation=dilation,
        period=dilation // math.gcd(stride, dilation),
        residue=residue,
        low=np.clip(place, 0, rows),
        high=np.clip(place + taps, 0, rows),
    )
