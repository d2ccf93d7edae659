"""A plan: which block is freed, written or loaded, and which operation computed, in which step.

The form in which the search hands its result on: one row an action, one table a kind of action.
A strategy file holds the same as boxes.
"""

from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np

from offloadasp.model.problem import IntArray, Problem


@dataclass(frozen=True)
class Plan:
    """All actions of a strategy. Every row begins with its step, counted from 1.

    Attributes
    ----------
    free_pixels, load_pixels
        Rows ``(step, q, r, c)``.
    free_kernels, load_kernels
        Rows ``(step, n, q)``.
    write_outputs, write_partial_sums, load_partial_sums
        Rows ``(step, n, i, j)``.
    compute
        Rows ``(step, n, q, i, j)``: one an operation at one output position.
    """

    free_pixels: IntArray
    free_kernels: IntArray
    write_outputs: IntArray
    write_partial_sums: IntArray
    load_pixels: IntArray
    load_kernels: IntArray
    load_partial_sums: IntArray
    compute: IntArray

    @property
    def steps(self) -> int:
        """Number of steps, those without a compute action included."""
        tables = (getattr(self, field.name) for field in fields(self))
        return max((int(table[:, 0].max()) for table in tables if len(table)), default=0)

    @property
    def compute_steps(self) -> int:
        """Number of compute actions."""
        return len(np.unique(self.compute[:, 0]))

    def loaded_bytes(self, problem: Problem) -> int:
        """Bytes of all loads."""
        pixels, kernels = self.load_pixels, self.load_kernels
        return int(
            problem.pixel_bytes[pixels[:, 1]].sum()
            + problem.kernel_bytes[kernels[:, 1], kernels[:, 2]].sum()
            + problem.partial_bytes[self.load_partial_sums[:, 1]].sum()
        )

    def written_bytes(self, problem: Problem) -> int:
        """Bytes of all writes."""
        return int(
            problem.output_bytes[self.write_outputs[:, 1]].sum()
            + problem.partial_bytes[self.write_partial_sums[:, 1]].sum()
        )

    def duration(self, problem: Problem) -> Fraction:
        """Cycles at the rates of the problem's accelerator."""
        rates = problem.accelerator
        return (
            rates.load_cycles * self.loaded_bytes(problem)
            + rates.write_cycles * self.written_bytes(problem)
            + rates.compute_cycles * self.compute_steps
        )

    def peak_bytes(self, problem: Problem) -> int:
        """Most bytes on chip in any step of a valid plan.

        While its last operation is computed an output counts the larger of its two sizes.
        """
        change = np.zeros(self.steps + 1, dtype=np.int64)
        larger = np.zeros_like(change)
        pixel, kernel = problem.pixel_bytes, problem.kernel_bytes
        np.add.at(change, self.load_pixels[:, 0], pixel[self.load_pixels[:, 1]])
        np.add.at(change, self.free_pixels[:, 0], -pixel[self.free_pixels[:, 1]])
        np.add.at(change, self.load_kernels[:, 0], kernel[tuple(self.load_kernels.T[1:])])
        np.add.at(change, self.free_kernels[:, 0], -kernel[tuple(self.free_kernels.T[1:])])
        first, last, n = self._output_spans(problem)
        partial, output = problem.partial_bytes, problem.output_bytes
        for sums, sign in ((self.load_partial_sums, 1), (self.write_partial_sums, -1)):
            np.add.at(change, sums[:, 0], sign * partial[sums[:, 1]])
        np.add.at(change, self.write_outputs[:, 0], -output[self.write_outputs[:, 1]])
        summed = first < last
        np.add.at(change, first, np.where(summed, partial[n], output[n]))
        np.add.at(change, last, np.where(summed, output[n] - partial[n], 0))
        np.add.at(larger, last, np.where(summed, np.maximum(partial[n] - output[n], 0), 0))
        return int((np.cumsum(change) + larger).max(initial=0))

    def _output_spans(self, problem: Problem) -> tuple[IntArray, IntArray, IntArray]:
        """Return the first and last step and the kernel group of every output block."""
        step, n, _, i, j = self.compute.T
        block = (n * problem.out_height + i) * problem.out_width + j
        total = len(problem.kernel_sizes) * problem.positions
        first = np.full(total, self.steps, dtype=np.int64)
        last = np.zeros(total, dtype=np.int64)
        np.minimum.at(first, block, step)
        np.maximum.at(last, block, step)
        return first, last, np.arange(total) // problem.positions


@dataclass(frozen=True)
class Planned:
    """A plan, and the problem that it solves."""

    problem: Problem
    plan: Plan

    @property
    def duration(self) -> Fraction:
        """Cycles."""
        return self.plan.duration(self.problem)


def table(rows: list[tuple[int, ...]], width: int) -> IntArray:
    """Return rows of actions as an array of shape (len(rows), width), sorted."""
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, width)
