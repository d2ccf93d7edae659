"""What a strategy can do wrong, and the list of what it did."""

from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import BoolArray
from offloadasp.judge.simulator.blocks import Box, Grid, cut

# More would only repeat the verdict.
LIMIT = 1000

RULES = {
    "empty_box": "a box has no cells",
    "overlapping_boxes": "two boxes of one list share a cell, or a kernel is listed twice",
    "not_a_block": "no such block: out of range, used by no output, or no shared channels",
    "not_an_operation": "no such operation: out of range, or no shared channels",
    "free_absent": "freed while not on chip",
    "write_absent": "written while not on chip",
    "write_incomplete": "written as an output while operations are missing",
    "write_complete_as_partial": "written as a partial sum while complete",
    "load_present": "loaded while on chip",
    "load_unspilled": "a partial sum is loaded that is not in main memory",
    "use_absent": "computing needs the block, which is not on chip",
    "compute_twice": "computed before",
    "memory": "the chip holds more than its memory",
    "macs": "the compute action does more than macs_per_step",
    "empty_step": "the step has no action",
    "never_computed": "missing at the end",
    "left_on_chip": "on chip at the end",
    "duration": "the stated duration is not the replayed one",
    "objective": "the stated value is not the replayed one",
    "bound": "a stated lower bound contradicts its value or the status",
}
"""Every rule of the model, by name, and what breaking it means."""


@dataclass(frozen=True)
class Violation:
    """One broken rule.

    Attributes
    ----------
    step
        Counted from 1; 0 for what the file states of the whole strategy.
    rule
        A key of :data:`RULES`.
    block
        The block or operation, such as ``pixel(3,4,0)``: row, column, channel group; or the
        objective of a false statement; or empty.
    """

    step: int
    rule: str
    block: str

    def __str__(self) -> str:
        """One line for people."""
        where = f"step {self.step}" if self.step else "the whole strategy"
        block = f"{self.block}: " if self.block else ""
        return f"{where}: {block}{RULES[self.rule]} ({self.rule})"


class Log:
    """Collects violations, each once and at most :data:`LIMIT`, for the current ``step``."""

    def __init__(self) -> None:
        self.step = 0
        self._found: dict[Violation, None] = {}

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything reported so far, in order."""
        return tuple(self._found)

    @property
    def full(self) -> bool:
        """Whether further reports are dropped."""
        return len(self._found) >= LIMIT

    def report(self, rule: str, block: str = "") -> None:
        """Note a violation in the current step."""
        if not self.full:
            self._found[Violation(self.step, rule, block)] = None

    def keep(self, grid: Grid, box: Box, good: BoolArray, rule: str) -> list[Box]:
        """Report the cells of a box that are not good, and return boxes of those that are.

        ``good`` has one cell a position of the box.
        """
        if np.count_nonzero(good) == good.size:  # several times as fast as good.all()
            return [box]
        *key, r0, _, c0, _ = box
        for row, column in np.argwhere(~good)[:LIMIT]:
            self.report(rule, grid.name(r0 + int(row), c0 + int(column), tuple(key)))
        return cut(box, good)
