"""A schedule as an arrangement that the local search can change, and back."""

from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.anneal.compiled import Ints, ints
from offloadasp.search.anneal.evaluation import (
    BEST,
    COST,
    HIGH,
    KEPT,
    LOW,
    LUBY_U,
    LUBY_V,
    RANDOM,
    RECORD,
    SAVE,
    SINGLE,
    Layout,
    Sizes,
    sweep,
)
from offloadasp.search.anneal.moves import settle
from offloadasp.search.anneal.numbering import Numbering
from offloadasp.search.construct.residency import Schedule, Uses

# Empty steps beside those of the schedule, so that steps may divide: one for so many steps.
_SPARE = 4


@dataclass
class Arrangement:
    """A problem's operations in steps, as one array for compiled functions.

    Attributes
    ----------
    numbering
        Of the problem.
    cells, at, of
        See :mod:`offloadasp.search.anneal.evaluation`.
    """

    numbering: Numbering
    cells: Ints
    at: Layout
    of: Sizes

    @property
    def cost(self) -> int:
        """The least cost so far, in units of the rules."""
        return int(self.cells[BEST]) + self.numbering.fixed


def arrange(problem: Problem, start: Schedule, seed: int) -> Arrangement:
    """Arrange a schedule's operations, with some empty steps in between."""
    numbering, steps = Numbering(problem), _spread(start)
    of = numbering.sizes(len(steps) - 2)
    changing = {
        "sequence": numbering.numbers(start.order),
        "start": steps,
        "resident": _staying(numbering, start),
    }
    whole = np.concatenate(list(changing.values()))
    saves, counted = (of.steps - 1) // of.stride + 1, of.blocks - of.pixels
    working = {
        "place": of.operations,
        "step": of.operations,
        "last": of.blocks,
        "slack": of.steps + 1,
        "done": counted,
        "begun": counted,
        "saved": 3 * saves + 1,
        "saved_slack": saves * (of.steps + 1),
        "saved_done": saves * counted,
        "saved_begun": saves * counted,
        "old_sequence": of.operations,
        "old_start": of.steps + 2,
    }
    parts = {
        **numbering.parts,
        **changing,
        **{name: np.zeros(count, dtype=np.int64) for name, count in working.items()},
        "best": whole,
        "first": whole,
        "record": np.zeros(of.operations * of.taps, dtype=np.int64),
    }
    single = np.zeros(SINGLE, dtype=np.int64)
    # Any number but 0 will do for xorshift; neighbouring seeds must not begin alike.
    single[RANDOM] = (seed * 2654435761 + 40503) % (2**32 - 1) + 1
    single[LOW], single[HIGH] = 1, of.steps
    single[LUBY_U] = single[LUBY_V] = 1
    ends = np.cumsum([SINGLE, *map(len, parts.values())]).tolist()
    cells = ints(np.concatenate([single, *parts.values()]))
    made = Arrangement(numbering, cells, Layout(**dict(zip(parts, ends, strict=False))), of)
    settle(cells, made.at)
    cells[COST] = cells[BEST] = sweep(cells, made.at, of, SAVE)
    return made


def _spread(start: Schedule) -> IntArray:
    """Return where steps begin in the sequence: a schedule's steps, and empty ones in between."""
    first = np.unique(start.order.unit, return_index=True)[1]
    sizes = np.bincount(start.step[first])[1:]
    spare = min(len(first) - len(sizes), 2 + len(sizes) // _SPARE)
    behind = (np.arange(spare) + 1) * len(sizes) // (spare + 1)
    return np.concatenate([[0, 0], np.cumsum(np.insert(sizes, behind, 0))])


def _staying(numbering: Numbering, start: Schedule) -> IntArray:
    """Return of each block whether it is an output, or a kernel block that is loaded only once."""
    kernels, outputs = start.kernels, np.ones(len(numbering.output), dtype=np.int64)
    loads = np.bincount(kernels.block[kernels.starts], minlength=numbering.problem.exists.size)
    once = (loads[numbering.kernel] == 1).astype(np.int64)
    return np.concatenate([0 * numbering.pixel, once, outputs])


def schedule_of(found: Arrangement) -> Schedule:
    """Return the best arrangement so far as a schedule."""
    numbering, at, of = found.numbering, found.at, found.of
    cells = np.array(found.cells)
    cells[at.sequence : at.place] = cells[at.best : at.first]
    cells[LOW], cells[HIGH] = 1, of.steps
    copy = ints(cells)
    settle(copy, at)
    cost = sweep(copy, at, of, RECORD)
    cells = np.array(copy)
    operations, number = cells[at.sequence : at.start], cells[at.step : at.last]
    # Empty steps do not count.
    step = np.cumsum(np.diff(number, prepend=number[0]) > 0) + 1
    order = numbering.order(operations)
    record = cells[at.record :].reshape(-1, of.taps)
    place, need = np.nonzero(record)
    block, kept = numbering.needs[operations[place], need], record[place, need] == KEPT
    kernel, output, end = numbering.firsts

    def uses(first: int, end: int, names: IntArray) -> Uses:
        these = (block >= first) & (block < end)
        return _uses(names[block[these] - first], step[place[these]], kept[these])

    kernels = uses(kernel, output, numbering.kernel)
    if not len(numbering.kernel):
        steps = np.arange(1, step[-1] + 1)
        kernels = _uses(0 * steps + np.flatnonzero(numbering.problem.exists), steps, steps > 0)
    return Schedule(
        cost=cost + numbering.fixed,
        order=order,
        step=step[order.unit],
        pixels=uses(0, kernel, numbering.pixel),
        kernels=kernels,
        outputs=uses(output, end, numbering.output) if len(numbering.output) else None,
    )


def _uses(block: IntArray, step: IntArray, kept: BoolArray) -> Uses:
    by_block = np.lexsort([step, block])
    block, step, kept = block[by_block], step[by_block], kept[by_block]
    return Uses(block, step, (block[1:] == block[:-1]) & kept[1:])
