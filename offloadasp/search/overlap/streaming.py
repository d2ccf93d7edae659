"""Plans whose channels stream: made for transfers that go on beside the compute action.

A *block* is a box of output positions and a range of kernels whose partial sums stay on chip until
they are complete. The channels of the layer pass by in chunks: each chunk is loaded once a block,
beside the compute actions of the chunk before it, and all of the block is computed with it. So what
an action needs is little beside the work that it brings, from the very first action on; the first
chunks are small and double in size. Near its end a block changes over: the last chunks are all on
chip, and output after output is completed, so that outputs are written all along.
"""

import math
from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.instance import Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order
from offloadasp.search.construct.residency import plan_of, schedule
from offloadasp.search.overlap.streams import Stream


def streamed(problem: Problem, stream: Stream) -> Plan | None:
    """Return the serial plan of a stream, or None where it does not fit.

    Parameters
    ----------
    problem
        Serial, of a layer of one convolution group, in any decomposition.
    """
    layer, capacity = problem.layer, int(problem.memory * stream.memory)
    spans = _kernel_spans(layer.kernels, stream)
    chunks = _chunks(layer.input[0], stream)
    resolved = Resolved(
        tile=(1, 1), kernel_groups=tuple(s for block in spans for s in block), channel_groups=chunks
    )
    laid = problem.with_decomposition(resolved).within(capacity)
    n, q, i, j = _operations(laid, stream, [len(block) for block in spans])
    macs = laid.operation_macs[n, q]
    step = _actions(macs, problem.accelerator.macs_per_step, stream.lacking)
    unit = np.arange(len(n))
    found = schedule(laid, Order(n, q, i, j, unit, unit, unit), step, 0, patience=None)
    return None if found is None else plan_of(laid, found)


def _kernel_spans(kernels: int, stream: Stream) -> list[list[tuple[int, int]]]:
    """Return the kernel groups of each range of kernels."""
    return [
        [(a, min(a + stream.group, end)) for a in range(first, end, stream.group)]
        for first in range(0, kernels, stream.kernels)
        for end in [min(first + stream.kernels, kernels)]
    ]


def _chunks(channels: int, stream: Stream) -> tuple[tuple[int, int], ...]:
    """Return the channel groups: small ones first."""
    ends, size = [0], min(stream.first, stream.chunk)
    while ends[-1] < channels:
        ends.append(min(ends[-1] + size, channels))
        size = min(2 * size, stream.chunk)
    return tuple(pairwise(ends))


def _operations(
    problem: Problem, stream: Stream, groups: list[int]
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return n, q, i and j of all operations, block after block."""
    sizes = problem.channel_sizes
    chunks = np.arange(len(sizes))
    offset = np.cumsum([0, *groups])
    taps = math.prod(problem.layer.kernel_shape)
    found: list[list[IntArray]] = [[], [], [], []]
    blocks = list(_blocks(problem, stream, len(groups)))
    for turn, (box, at) in enumerate(blocks):
        tail = stream.tail if turn < len(blocks) - 1 else stream.ending
        n = np.arange(offset[at], offset[at + 1])
        q = chunks if turn % 2 == 0 else chunks[::-1]
        behind = np.cumsum(sizes[q][::-1])[::-1]  # channels from each chunk on
        head = int(np.searchsorted(-behind, -tail, side="left"))
        each = stream.group * taps * int(sizes[q[head:]].sum())
        few = max(1, problem.accelerator.macs_per_step // max(1, each))
        for columns, part in zip(found, _ordered(box, n, q, head, few), strict=True):
            columns.append(part)
    n, q, i, j = (np.concatenate(column) for column in found)
    return n, q, i, j


def _ordered(
    box: tuple[IntArray, IntArray], n: IntArray, q: IntArray, head: int, few: int
) -> tuple[IntArray, ...]:
    """Return the operations of a block: chunk after chunk first, output after output then."""
    i, j = box
    count = len(i)
    # Chunk, kernel group, position, from outermost to innermost.
    at_q, at_n, at = np.meshgrid(q[:head], n, np.arange(count), indexing="ij")
    parts = [(at_n.ravel(), at_q.ravel(), at.ravel())]
    for first in range(0, count, few):
        some = np.arange(first, min(first + few, count))
        at_n, at_q, at = np.meshgrid(n, q[head:], some, indexing="ij")
        parts.append((at_n.ravel(), at_q.ravel(), at.ravel()))
    if head < len(q):
        # Kernel group after kernel group, and within each some positions after others.
        parts[1:] = [_by_kernels(parts[1:])]
    kn, kq, place = (np.concatenate(part) for part in zip(*parts, strict=True))
    return kn, kq, i[place], j[place]


def _by_kernels(
    parts: list[tuple[IntArray, IntArray, IntArray]],
) -> tuple[IntArray, IntArray, IntArray]:
    n, q, at = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(n, kind="stable")
    return n[order], q[order], at[order]


def _blocks(
    problem: Problem, stream: Stream, ranges: int
) -> Iterator[tuple[tuple[IntArray, IntArray], int]]:
    """Yield positions and range of kernels of each block; both turn round each time."""
    height, width = problem.out_height, problem.out_width
    boxes = []
    for number, a in enumerate(range(0, height, stream.rows)):
        across = list(range(0, width, stream.columns))
        for b in across if number % 2 == 0 else across[::-1]:
            rows = np.arange(a, min(a + stream.rows, height))
            columns = np.arange(b, min(b + stream.columns, width))
            boxes.append((np.repeat(rows, len(columns)), np.tile(columns, len(rows))))
    outer, inner = (len(boxes), ranges) if stream.kernels_first else (ranges, len(boxes))
    for a, b in product(range(outer), range(inner)):
        turned = b if a % 2 == 0 else inner - 1 - b
        box, at = (a, turned) if stream.kernels_first else (turned, a)
        yield boxes[box], at


def _actions(macs: IntArray, limit: int, lacking: float) -> IntArray:
    """Cut operations into as few actions as they take; the first one may be less than full.

    Parameters
    ----------
    macs
        Of each operation, in their order.
    lacking
        The share of what the last one would lack of being full that the first one lacks instead.

    Returns
    -------
    array of int, shape (operations,)
        The action of each, from 1.
    """
    total = np.cumsum(macs)
    step = cut(total, limit, limit)
    left = limit - int(macs[step == step[-1]].sum())
    again = cut(total, limit - int(left * lacking), limit)
    return again if again[-1] == step[-1] else step


def cut(total: IntArray, first: int, limit: int) -> IntArray:
    """Cut operations into actions that do at most ``limit`` work, the first one at most ``first``.

    Parameters
    ----------
    total
        Sums of the operations' work, in their order.
    """
    step = np.empty(len(total), dtype=np.int64)
    begin, done, number, room = 0, 0, 1, first
    while begin < len(total):
        end = max(begin + 1, int(np.searchsorted(total, done + room, side="right")))
        step[begin:end] = number
        begin, done, number, room = end, int(total[end - 1]), number + 1, limit
    return step
