"""Lower bounds on the duration where transfers go on beside the compute action.

Derivation: docs/bounds.md, "Overlap". An overlapped strategy, read serially, is a valid serial one
with the same transfers and compute actions, so bounds on their numbers hold for it too.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from offloadasp.model.problem import Problem


@dataclass(frozen=True, eq=False)
class Lanes:
    """Bounds on overlapped strategies; what all of them share is computed once.

    Attributes
    ----------
    problem
        With a semantics that overlaps.
    """

    problem: Problem

    def duration(self, loads: int, writes: int, steps: int) -> Fraction:
        """Return a lower bound on the cycles of every overlapped strategy.

        Parameters
        ----------
        loads, writes, steps
            Bytes loaded, bytes written and compute actions of every strategy, at least.
        """
        rates = self.problem.accelerator
        load, write = rates.load_cycles * loads, rates.write_cycles * writes
        # Nothing is computed before the first load, nor written before the first compute action.
        # What is loaded is of use only to a later compute action, and the last one is followed by a
        # write.
        return max(
            self.problem.semantics.longest_transfer(load, write),
            self._first + self._busy(steps) + self._last,
            load + self._least_compute + self._last,
            self._first + self._least_compute + write,
        )

    def wait(self, loads: int, writes: int, steps: int) -> Fraction:
        """Return a lower bound on the cycles that steps wait beyond their compute actions.

        It holds for strategies with exactly ``steps`` compute actions. Where a compute action takes
        no fixed time, it holds for those with more as well. The parameters are those of `duration`.
        """
        return self.duration(loads, writes, steps) - self._busy(steps)

    def _busy(self, steps: int) -> Fraction:
        rates = self.problem.accelerator
        return rates.compute_cycles * steps + rates.mac_cycles * self.problem.total_macs

    @cached_property
    def _least_compute(self) -> Fraction:
        """Cycles of the least compute action."""
        macs = self.problem.operation_macs[self.problem.exists.every()].min()
        return self.problem.accelerator.compute_time(int(macs))

    @cached_property
    def _last(self) -> Fraction:
        """Cycles to write an output."""
        return self.problem.accelerator.write_cycles * int(self.problem.output_bytes.min())

    @cached_property
    def _first(self) -> Fraction:
        """Cycles to load the pixels and weights that some operation needs; biases left out."""
        problem = self.problem
        rows, columns = problem.reads
        (height, width), (tall, wide) = problem.decomposition.tile, problem.layer.kernel_shape
        pixels = int(rows.distinct(height).min()) * int(columns.distinct(width).min())
        n, q = problem.exists.every()
        weights = problem.exists.shared(n, q) * tall * wide * problem.precision.weight
        least = int((problem.pixel_bytes[q] * pixels + weights).min())
        return problem.accelerator.load_cycles * least
