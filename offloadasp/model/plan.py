"""A plan: which block is freed, written or loaded, and which operation computed, in which step.

The one form of a solution, from the search to the file: one row an action, one table a kind of
action. A strategy file holds the same as boxes.
"""

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.objectives import DURATION, OBJECTIVES, Counts
from offloadasp.model.problem import Problem


@dataclass(frozen=True)
class Plan:
    """All actions of a strategy for a problem. Every row begins with its step, counted from 1.

    Attributes
    ----------
    problem
        What is planned for. The plan keeps within its capacity.
    free_pixels, load_pixels
        Rows ``(step, q, r, c)``.
    free_kernels, load_kernels
        Rows ``(step, n, q)``.
    write_outputs, write_partial_sums, load_partial_sums
        Rows ``(step, n, i, j)``.
    compute
        Rows ``(step, n, q, i, j)``: one an operation at one output position.
    """

    problem: Problem
    free_pixels: IntArray
    free_kernels: IntArray
    write_outputs: IntArray
    write_partial_sums: IntArray
    load_pixels: IntArray
    load_kernels: IntArray
    load_partial_sums: IntArray
    compute: IntArray

    @cached_property
    def steps(self) -> int:
        """Number of steps, those without a compute action included."""
        tables = (getattr(self, name) for name in TABLES)
        return max((int(table[:, 0].max()) for table in tables if len(table)), default=0)

    @cached_property
    def counts(self) -> Counts:
        """What the plan uses."""
        return Counts(
            loaded=self._loaded_bytes(),
            written=self._written_bytes(),
            actions=len(np.unique(self.compute[:, 0])),
            peak=int(self.on_chip_bytes().max(initial=0)),
            waiting=sum(self.waits(), Fraction(0)),
        )

    @property
    def duration(self) -> Fraction:
        """Cycles on the accelerator of the plan's problem."""
        return OBJECTIVES[DURATION].value(self.problem.instance, self.counts)

    @property
    def cost(self) -> Fraction:
        """What the plan costs at the prices of its problem."""
        return self.problem.prices.of(self.counts)

    def _loaded_bytes(self) -> int:
        problem, pixels, kernels = self.problem, self.load_pixels, self.load_kernels
        return int(
            problem.pixel_bytes[pixels[:, 1]].sum()
            + problem.kernel_bytes[kernels[:, 1], kernels[:, 2]].sum()
            + problem.partial_bytes[self.load_partial_sums[:, 1]].sum()
        )

    def _written_bytes(self) -> int:
        problem = self.problem
        return int(
            problem.output_bytes[self.write_outputs[:, 1]].sum()
            + problem.partial_bytes[self.write_partial_sums[:, 1]].sum()
        )

    def lanes(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return bytes loaded, bytes written and multiply-accumulates by step, each (steps,)."""
        problem, found = self.problem, np.zeros((3, self.steps), dtype=np.int64)
        pixel, kernel, partial = problem.pixel_bytes, problem.kernel_bytes, problem.partial_bytes
        for lane, rows, sizes in (
            (0, self.load_pixels, pixel[self.load_pixels[:, 1]]),
            (0, self.load_kernels, kernel[tuple(self.load_kernels.T[1:])]),
            (0, self.load_partial_sums, partial[self.load_partial_sums[:, 1]]),
            (1, self.write_outputs, problem.output_bytes[self.write_outputs[:, 1]]),
            (1, self.write_partial_sums, partial[self.write_partial_sums[:, 1]]),
            (2, self.compute, problem.operation_macs[tuple(self.compute.T[1:3])]),
        ):
            np.add.at(found[lane], rows[:, 0] - 1, sizes)
        return found[0], found[1], found[2]

    def waits(self) -> list[Fraction]:
        """Return how long each step goes on after its compute action; nothing without overlap."""
        rates, semantics = self.problem.accelerator, self.problem.semantics
        if not semantics.overlaps:
            return []
        steps, which = np.unique(np.column_stack(self.lanes()), axis=0, return_inverse=True)
        longest = [
            semantics.longest_transfer(rates.load_cycles * loaded, rates.write_cycles * written)
            - rates.compute_time(macs)
            for loaded, written, macs in steps.tolist()
        ]
        return [max(longest[kind], Fraction(0)) for kind in which.ravel().tolist()]

    def on_chip_bytes(self) -> IntArray:
        """Return the most bytes on chip in each step of a valid plan, shape (1 + steps,)."""
        problem = self.problem
        change = np.zeros(self.steps + 1, dtype=np.int64)
        pixel, kernel, partial = problem.pixel_bytes, problem.kernel_bytes, problem.partial_bytes
        np.add.at(change, self.load_pixels[:, 0], pixel[self.load_pixels[:, 1]])
        np.add.at(change, self.free_pixels[:, 0], -pixel[self.free_pixels[:, 1]])
        for kernels, sign in ((self.load_kernels, 1), (self.free_kernels, -1)):
            np.add.at(change, kernels[:, 0], sign * kernel[kernels[:, 1], kernels[:, 2]])
        # Partial sums that are away for a while.
        for sums, sign in ((self.load_partial_sums, 1), (self.write_partial_sums, -1)):
            np.add.at(change, sums[:, 0], sign * partial[sums[:, 1]])
        # A complete output may wait for its write-back.
        first, last, n = self._output_spans()
        np.add.at(change, last + 1, problem.output_bytes[n])
        np.add.at(change, self.write_outputs[:, 0], -problem.output_bytes[self.write_outputs[:, 1]])
        outputs = problem.semantics.occupied_by_outputs(
            first, last, partial[n], problem.output_bytes[n], self.steps
        )
        on_chip: IntArray = np.cumsum(change) + outputs
        if problem.semantics.overlaps:
            # What is written beside the compute action stays until the step ends.
            for rows, sizes in (
                (self.write_outputs, problem.output_bytes),
                (self.write_partial_sums, partial),
            ):
                np.add.at(on_chip, rows[:, 0], sizes[rows[:, 1]])
        return on_chip

    def _output_spans(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return the first and last step and the kernel group of every output block."""
        problem = self.problem
        step, n, _, i, j = self.compute.T
        block = (n * problem.out_height + i) * problem.out_width + j
        total = len(problem.kernel_sizes) * problem.positions
        first = np.full(total, self.steps, dtype=np.int64)
        last = np.zeros(total, dtype=np.int64)
        np.minimum.at(first, block, step)
        np.maximum.at(last, block, step)
        return first, last, np.arange(total) // problem.positions


TABLES = tuple(field.name for field in fields(Plan) if field.name != "problem")
"""The names of a plan's tables."""

WIDTHS = {"free_kernels": 3, "load_kernels": 3, "compute": 5}
"""Numbers of columns of tables; of the others 4."""


def steps_in(plan: Plan, name: str) -> IntArray:
    """Return the step of each row of a table."""
    rows: IntArray = getattr(plan, name)[:, 0]
    return rows


def without_empty_steps(plan: Plan) -> Plan:
    """Return a plan whose steps all do something; the others go, and later ones move up."""
    return renumbered(plan, plan.problem, {name: steps_in(plan, name) for name in TABLES})


def renumbered(plan: Plan, problem: Problem, steps: dict[str, IntArray]) -> Plan:
    """Return the actions of a plan at other times, counted anew from 1 without empty steps.

    Parameters
    ----------
    plan
        Gives the actions.
    problem
        What the result is a plan for.
    steps
        A time for each row of each table; any integers.
    """
    used = np.unique(np.concatenate([steps[name] for name in TABLES]))
    tables = {}
    for name in TABLES:
        rows = getattr(plan, name).copy()
        rows[:, 0] = np.searchsorted(used, steps[name]) + 1
        tables[name] = rows[np.lexsort(rows.T[::-1])]
    return replace(plan, problem=problem, **tables)


def without_reloads(plan: Plan) -> Plan:
    """Return a plan in which input blocks stay that a step frees and loads again.

    The definition knows no such step: what is on chip before and after a step stays.
    """
    tables: dict[str, IntArray] = {name: getattr(plan, name) for name in TABLES}
    changed = False
    for kind in ("pixels", "kernels"):
        names = f"free_{kind}", f"load_{kind}"
        free, load = (getattr(plan, name) for name in names)
        shape = tuple(np.concatenate([free, load]).max(axis=0, initial=0) + 1)
        keys = [np.ravel_multi_index(tuple(rows.T), shape) for rows in (free, load)]
        _, freed, loaded = np.intersect1d(*keys, return_indices=True)
        if len(freed):
            tables[names[0]] = np.delete(free, freed, axis=0)
            tables[names[1]] = np.delete(load, loaded, axis=0)
            changed = True
    return without_empty_steps(Plan(plan.problem, **tables)) if changed else plan


def plan_from_rows(problem: Problem, rows: dict[str, list[tuple[int, ...]]]) -> Plan:
    """Return a plan from rows of actions by table, in any order."""
    return Plan(problem, **{name: table(rows[name], WIDTHS.get(name, 4)) for name in TABLES})


def table(rows: list[tuple[int, ...]], width: int) -> IntArray:
    """Return rows of actions as an array of shape (len(rows), width), sorted."""
    return np.array(sorted(rows), dtype=np.int64).reshape(-1, width)
