"""The semantics of a step: what it holds, and how long it takes.

A serial step frees, writes, loads and computes, in this order. An overlapped one frees first; then
it writes, loads and computes at the same time. The rules (``encodings/``), the simulator and the
reference each define it independently, on purpose. Everything else uses this module, but for the
compiled local search: ``search/anneal/evaluation.py`` says the same in its ``_count``, and tests
compare its costs with the rules'.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from offloadasp.base.arrays import IntArray


@dataclass(frozen=True)
class Semantics:
    """How the transfers and the compute action of a step follow each other.

    Attributes
    ----------
    name
        How transfers lie beside the compute action; ``none``: they do not overlap.
    """

    name: str

    @property
    def overlaps(self) -> bool:
        """Whether transfers go on beside the compute action."""
        return self.name != "none"

    def longest_transfer(self, load: Fraction, write: Fraction) -> Fraction:
        """Return how long the lanes of transfers are busy, given the cycles of loads and writes."""
        return max(load, write) if self.name == "duplex" else load + write

    def duration(self, load: Fraction, write: Fraction, compute: Fraction) -> Fraction:
        """Return the cycles of a step, given those of its loads, writes and compute action."""
        transfer = self.longest_transfer(load, write)
        return max(transfer, compute) if self.overlaps else transfer + compute

    def occupied(self, before: IntArray, after: IntArray) -> IntArray:
        """Return the bytes of a block during the compute action that changes it, elementwise.

        Parameters
        ----------
        before, after
            Its bytes before that action, 0 if it is absent, and after it.
        """
        return np.maximum(before, after)

    def occupied_by_outputs(
        self, first: IntArray, last: IntArray, partial: IntArray, complete: IntArray, steps: int
    ) -> IntArray:
        """Return the bytes of outputs on chip while each step computes.

        Parameters
        ----------
        first, last
            The steps of the first and of the last operation on each output, shape (outputs,).
            It stays on chip in between.
        partial, complete
            Bytes of each while it holds partial sums, and once it is complete, shape (outputs,).
        steps
            The last step.

        Returns
        -------
        array of int, shape (steps + 1,)
            Bytes by step, from 0.
        """
        occupied = np.zeros(steps + 2, dtype=np.int64)
        summed = first < last
        np.add.at(occupied, first, np.where(summed, partial, 0))
        np.add.at(occupied, last, np.where(summed, -partial, 0))
        occupied = np.cumsum(occupied)
        np.add.at(occupied, last, self.occupied(np.where(summed, partial, 0), complete))
        return occupied[:-1]


SERIAL = Semantics("none")
"""Transfers and the compute action of a step follow each other."""

DMA = Semantics("dma")
"""One DMA loads and writes, one after the other, beside the compute action."""

DUPLEX = Semantics("duplex")
"""Loads, writes and the compute action of a step go on beside each other."""


def semantics_of(overlap: str) -> Semantics:
    """Return the semantics of an accelerator, by the word in its file."""
    return next(semantics for semantics in EVERY if semantics.name == overlap)


EVERY = frozenset({SERIAL, DMA, DUPLEX})
"""All of them: what holds for these speaks of transfers and compute actions only."""
