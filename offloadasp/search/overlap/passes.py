"""Plans for overlap of layers that the memory has room for: kernels or positions in turn.

Where there is little work beside the data, few compute actions do it all, and what the first one
needs and the last one leaves is much of the data. Kernel after kernel, or position after position,
little is left at the end, but all inputs, or all kernels, are needed first. Chunk after chunk of
the channels little is needed first, but all outputs are left. So the head of a layer is computed by
chunks, and the rest in turn: while it is, the outputs of the head are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.base.messages import plural
from offloadasp.model.instance import Layer, Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.search.construct.order import Order
from offloadasp.search.construct.residency import plan_of, schedule
from offloadasp.search.overlap.streaming import cut

# Kernels of an operation; parts of the channels; shares of a layer that are its head.
_GROUPS, _PARTS = (1, 4, 16, 64), (4, 16)
_HEADS = tuple(Fraction(share, 8) for share in (4, 2, 6, 1, 8))
MOST_OPERATIONS = 120_000
"""Of a pass that is looked at."""

# By how much a head is varied.
_STEP = Fraction(1, 16)


@dataclass(frozen=True)
class Pass:
    """An order of a layer's operations.

    Attributes
    ----------
    group, chunk
        Kernels and channels of an operation; of a depthwise layer the group is of both.
    by_kernel
        Whether all positions of a kernel group come first, or all kernels of a position.
    head
        The share of the kernels, or of the positions, that is computed chunk by chunk.
    """

    group: int
    chunk: int
    by_kernel: bool
    head: Fraction = Fraction(0)


@dataclass(frozen=True)
class Passing:
    """A layer in the groups of a pass, and its operations in their order.

    Attributes
    ----------
    n, q, at
        Kernel group, channel group and output position of each, shape (operations,).
    """

    problem: Problem
    n: IntArray
    q: IntArray
    at: IntArray

    @property
    def fits(self) -> bool:
        """Whether a compute action does any of the operations."""
        return bool(self.problem.operation_macs.max() <= self.problem.accelerator.macs_per_step)

    def evenly(self, actions: int, first: Fraction) -> IntArray:
        """Return the action of each operation, from 1, if so many at least share the work.

        Parameters
        ----------
        first
            The share of such an action that the first one does.
        """
        macs = np.cumsum(self.problem.operation_macs[self.n, self.q])
        most = self.problem.accelerator.macs_per_step
        each = min(most, -(-int(macs[-1]) // actions))
        return cut(macs, int(first * each), each)

    def plan(self, step: IntArray) -> Plan | None:
        """Return the serial plan with the given action of each operation; None if it is too large.

        The problem is to be serial.
        """
        unit = np.arange(len(self.n))
        i, j = np.divmod(self.at, self.problem.out_width)
        order = Order(self.n, self.q, i, j, unit, unit, unit)
        found = schedule(self.problem, order, step, 0, patience=None)
        return None if found is None else plan_of(self.problem, found)


def can_pass(layer: Layer) -> bool:
    """Whether a layer has one convolution group, or each of its channels a kernel of its own."""
    return layer.group == 1 or _is_depthwise(layer)


def _is_depthwise(layer: Layer) -> bool:
    return layer.group == layer.input[0] == layer.kernels


def passes(layer: Layer) -> Iterator[Pass]:
    """Yield orders that are worth trying, of layers that `can_pass`."""
    groups = sorted({min(group, layer.kernels) for group in _GROUPS}, reverse=True)
    channels = layer.input[0]
    for by_kernel, group in product((True, False), groups):
        yield Pass(group, channels, by_kernel)
    if layer.group > 1:
        return
    chunks = dict.fromkeys(max(1, channels // parts) for parts in _PARTS)
    for head, chunk, by_kernel, group in product(_HEADS, chunks, (True, False), groups):
        if chunk < channels:
            yield Pass(group, chunk, by_kernel, head)


def variations(layer: Layer, way: Pass) -> Iterator[Pass]:
    """Yield orders that differ a little from one."""
    if way.group > 1:
        yield replace(way, group=-(-way.group // 4))
    if way.head == 0:
        return
    for head in (way.head - _STEP, way.head + _STEP):
        if 0 < head <= 1:
            yield replace(way, head=head)
    for chunk in (way.chunk // 2, way.chunk * 2):
        if 0 < chunk < layer.input[0]:
            yield replace(way, chunk=chunk)


def has_room(problem: Problem, way: Pass) -> bool:
    """Whether the memory has room for all inputs and kernels, and the partial sums of the head.

    Of a depthwise layer only a few channels are on chip at a time.
    """
    if _is_depthwise(problem.layer):
        return True
    outputs = problem.layer.kernels * problem.positions * problem.precision.partial_sum
    return problem.input_total + problem.kernel_total + way.head * outputs <= problem.capacity


def size(problem: Problem, way: Pass) -> int:
    """Return the operations of a pass."""
    layer = problem.layer
    chunks = 1 if _is_depthwise(layer) else -(-layer.input[0] // way.chunk)
    return -(-layer.kernels // way.group) * chunks * problem.positions


def passing(problem: Problem, way: Pass) -> Passing:
    """Return a layer that `can_pass` in the order of a pass."""
    layer = problem.layer
    spans = _spans(layer.kernels, way.group)
    channels = spans if _is_depthwise(layer) else _spans(layer.input[0], way.chunk)
    laid = problem.with_decomposition(
        Resolved(tile=(1, 1), kernel_groups=spans, channel_groups=channels)
    )
    outer, inner = np.arange(len(spans)), np.arange(problem.positions)
    if not way.by_kernel:
        outer, inner = inner, outer
    if _is_depthwise(layer):
        first, second = _in_turn(outer, inner)
        n, at = (first, second) if way.by_kernel else (second, first)
        return Passing(laid, n, n, at)
    chunks, head = np.arange(len(channels)), round(way.head * len(outer))
    by_chunk = _in_turn(chunks, outer[:head], inner)
    behind = _in_turn(outer[head:], inner, chunks)
    q = np.concatenate([by_chunk[0], behind[2]])
    first = np.concatenate([by_chunk[1], behind[0]])
    second = np.concatenate([by_chunk[2], behind[1]])
    n, at = (first, second) if way.by_kernel else (second, first)
    return Passing(laid, n, q, at)


def _spans(count: int, size: int) -> tuple[tuple[int, int], ...]:
    return tuple((a, min(a + size, count)) for a in range(0, count, size))


def _in_turn(*loops: IntArray) -> list[IntArray]:
    """Return the values of nested loops, outermost first, each of shape (turns,)."""
    return [values.ravel() for values in np.meshgrid(*loops, indexing="ij")]


def words(way: Pass) -> str:
    """Return a pass in a reader's words."""
    each = plural(way.group, "kernel")
    turn = f"{each} after {each}" if way.by_kernel else f"position by position, {each} at a time"
    if way.head == 0:
        return turn
    chunk = plural(way.chunk, "channel")
    if way.head == 1:
        return f"{chunk} after {chunk}"
    part = f"{way.head} of the {'kernels' if way.by_kernel else 'positions'}"
    return f"{chunk} after {chunk} for {part}, then {turn}"
