"""When each block is on chip, read off a strategy's lists: a hint for ``encodings/check/stays.lp``.

The rules verify what is said here, so nothing depends on it but the time that a check takes. Where
lists do not match, as in strategies that are not valid, no hint is given.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from offloadasp.problem import IntArray, Problem
from offloadasp.strategy import Step, boxes

# Cells of all boxes of one kind; more are not looked at one by one.
_CELLS = 2**26


@dataclass(frozen=True)
class Events:
    """What brings blocks to the chip, or takes them away: one entry a block and event.

    Attributes
    ----------
    block
        Number of the block, shape (events,).
    source
        Which of ``steps`` and ``names`` it belongs to, shape (events,).
    steps
        Of every source, shape (sources,). A source is a box, or a step that computes.
    names
        Of every source, the list that it is in; empty for a step that computes.
    """

    block: IntArray
    source: IntArray
    steps: IntArray
    names: Sequence[str]


def stay_facts(problem: Problem, steps: Sequence[Step]) -> list[str]:
    """Return facts ``stay(L, K, T, T', I0, I1, J0, J1)`` and ``stay(B, K, T, T')``, or none.

    Parameters
    ----------
    problem
        Gives the planes in which cells lie.
    steps
        The strategy's.
    """
    groups = (len(problem.kernel_sizes), len(problem.channel_sizes))
    pixels = (groups[1], *problem.layer.input[1:])
    outputs = (groups[0], problem.out_height, problem.out_width)
    try:
        loads = _events(pixels, pixels=(step.load.pixels for step in steps))
        frees = _events(pixels, pixels=(step.free.pixels for step in steps))
        writes = _events(
            outputs,
            outputs=(step.write.outputs for step in steps),
            partial_sums=(step.write.partial_sums for step in steps),
        )
        reloads = _events(outputs, reloads=(step.load.partial_sums for step in steps))
        enters = _joined(_starts(outputs, steps), reloads)
        return [
            *_facts(pixels, loads, frees),
            *_facts(outputs, enters, writes),
            *_kernel_facts(steps),
        ]
    except _MismatchError:
        return []


class _MismatchError(Exception):
    """Lists do not match."""


def _events(shape: tuple[int, int, int], **lists: Iterable[Sequence[tuple[int, ...]]]) -> Events:
    """Look at lists of boxes ``(group, r0, r1, c0, c1)``, one a step, cell by cell."""
    listed = [
        (t, name, box)
        for name, by_step in lists.items()
        for t, entries in enumerate(by_step, start=1)
        for box in entries
    ]
    table = np.array([box for _, _, box in listed], dtype=np.int64).reshape(-1, 5)
    source, block = _cells(table, shape)
    steps = np.array([t for t, _, _ in listed], dtype=np.int64)
    return Events(block, source, steps, [name for _, name, _ in listed])


def _cells(table: IntArray, shape: tuple[int, int, int]) -> tuple[IntArray, IntArray]:
    """Return, for every cell of boxes ``(group, r0, r1, c0, c1)``, the box and the block."""
    group, r0, r1, c0, c1 = table.T
    height, width = r1 - r0, c1 - c0
    limits = np.array([shape[0] - 1, shape[1], shape[2]])
    inside = (table[:, [0, 2, 4]] <= limits).all() and (table >= 0).all()
    if not inside or (height <= 0).any() or (width <= 0).any():
        raise _MismatchError
    size = height * width
    if size.sum() > _CELLS:
        raise _MismatchError
    box = np.repeat(np.arange(len(table)), size)
    place = np.arange(len(box)) - np.repeat(np.cumsum(size) - size, size)
    row, column = r0[box] + place // width[box], c0[box] + place % width[box]
    return box, (group[box] * shape[1] + row) * shape[2] + column


def _starts(shape: tuple[int, int, int], steps: Sequence[Step]) -> Events:
    """Return the step in which each output is computed first."""
    listed = [(t, n, *place) for t, step in enumerate(steps, 1) for n, _, *place in step.compute]
    table = np.array(listed, dtype=np.int64).reshape(-1, 6)
    box, block = _cells(table[:, 1:], shape)
    order = np.argsort(block, kind="stable")  # boxes are in the order of steps
    block, step = block[order], table[box[order], 0]
    first = np.ones(len(block), dtype=bool)
    first[1:] = block[1:] != block[:-1]
    count = len(steps) + 1
    return Events(block[first], step[first], np.arange(count), [""] * count)


def _joined(one: Events, other: Events) -> Events:
    return Events(
        np.concatenate([one.block, other.block]),
        np.concatenate([one.source, other.source + len(one.steps)]),
        np.concatenate([one.steps, other.steps]),
        [*one.names, *other.names],
    )


def _sorted(events: Events) -> tuple[IntArray, IntArray]:
    """Return blocks and sources in the order of blocks, then steps."""
    order = np.lexsort((events.steps[events.source], events.block))
    return events.block[order], events.source[order]


def _facts(shape: tuple[int, int, int], enters: Events, leaves: Events) -> Iterator[str]:
    """Yield the stays between entering and leaving, as boxes within the boxes of both lists."""
    block, begin = _sorted(enters)
    same, end = _sorted(leaves)
    if not np.array_equal(block, same):
        raise _MismatchError
    new = np.ones(len(block), dtype=bool)
    new[1:] = block[1:] != block[:-1]
    first = np.maximum.accumulate(np.where(new, np.arange(len(block)), 0))
    nth = np.arange(len(block)) - first + 1
    group, cell = np.divmod(block, shape[1] * shape[2])
    table = np.column_stack([begin, end, nth, group, cell // shape[2], cell % shape[2]])
    for b, e, k, g, *place in boxes(table):
        steps = f"{enters.steps[b]},{leaves.steps[e]}"
        yield f"stay({leaves.names[e]}({g}),{k},{steps},{','.join(map(str, place))})."


def _kernel_facts(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the stays of kernel blocks."""
    on_chip: dict[tuple[int, ...], int] = {}
    count: dict[tuple[int, ...], int] = {}
    for t, step in enumerate(steps, start=1):
        for pair in step.free.kernels:
            count[pair] = count.get(pair, 0) + 1
            begin = on_chip.pop(pair, 0)
            yield f"stay(kernel({pair[0]},{pair[1]}),{count[pair]},{begin},{t})."
        on_chip |= dict.fromkeys(step.load.kernels, t)
