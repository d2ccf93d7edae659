"""The semantics of a step: what a block occupies while the step computes.

A step frees, writes, loads and computes, in this order. The rules (``encodings/``), the simulator
and the reference each define it independently, on purpose. Everything else uses this module, but
for the compiled local search: ``search/anneal/evaluation.py`` says the same in its ``_count``, and
tests compare its costs with the rules'.
"""

from dataclasses import dataclass

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
