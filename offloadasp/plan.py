"""A plan: which block is freed, written or loaded, and which operation computed, in which step.

The form in which the search hands its result on: one row an action, one table a kind of action.
A strategy file holds the same as boxes.
"""

from dataclasses import dataclass, fields

import numpy as np

from offloadasp.problem import IntArray, Problem


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


def table(rows: list[tuple[int, ...]], width: int) -> IntArray:
    """Return rows of actions as an array of shape (len(rows), width), sorted."""
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, width)
