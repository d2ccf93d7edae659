"""The least memory and the least MACs per step with which a strategy exists.

Every step can be restricted to the operations of one output block, the rest of which is written
back before; docs/bounds.md, section 7. So the demand is the greatest over output blocks of the
least over ways to compute one of them: all of its channel groups in one step, or one a step.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.base.messages import plural
from offloadasp.model.instance import Layer
from offloadasp.model.problem import Problem
from offloadasp.model.reads import reads_of


@dataclass(frozen=True)
class Demand:
    """The least value of a resource with which a strategy exists.

    Attributes
    ----------
    value
        Bytes, or multiply-accumulates.
    what
        What demands it, for a message.
    """

    value: int
    what: str


@dataclass(frozen=True)
class _Span:
    """A tile row or column: its index, output rows in it, input rows that it uses."""

    index: int
    outputs: int
    inputs: int


def least_macs(problem: Problem) -> Demand:
    """Return the MACs of the largest operation: with fewer a step, no strategy exists."""
    macs = problem.operation_macs
    rows_of, groups = problem.exists.outermost
    largest = int(macs[rows_of, groups].argmax())
    n, q = rows_of[largest], groups[largest]
    height, width = problem.decomposition.tile
    rows, columns = _Span(0, height, 0), _Span(0, width, 0)
    positions = rows.outputs * columns.outputs
    value = int(macs[n, q]) * positions
    where = f"{_place(problem, rows, columns)} with kernel group {n}, channel group {q}"
    taps = "x".join(map(str, problem.layer.kernel_shape))
    shared = int(problem.exists.shared(n, q))
    return Demand(
        value,
        f"{where}: {plural(value, 'multiply-accumulate')}, {plural(positions, 'position')} of "
        f"{taps} taps for {plural(shared, 'pair')} of kernel and channel",
    )


def least_memory(problem: Problem) -> Demand:
    """Return the bytes on chip below which no strategy exists for this decomposition.

    With that much memory one exists, provided that ``macs_per_step`` allows every operation.
    """
    tile = problem.decomposition.tile
    spans = (_largest_spans(problem.layer, axis, tile[axis]) for axis in (0, 1))
    found = [_of_tile(problem, rows, columns) for rows, columns in itertools.product(*spans)]
    return max(found, key=lambda demand: demand.value)


@lru_cache(maxsize=64)
def _largest_spans(layer: Layer, axis: int, tile: int) -> tuple[_Span, ...]:
    """Return the tile rows or columns, without those that another one equals or exceeds in both."""
    reads = reads_of(layer, axis)
    total, inputs = len(reads.low), reads.distinct(tile)
    index = np.arange(len(inputs))
    outputs = np.minimum(tile, total - index * tile)
    order = np.lexsort([index, -inputs, -outputs])
    most = np.r_[-1, np.maximum.accumulate(inputs[order])[:-1]]
    kept = order[inputs[order] > most]
    sizes = np.column_stack([kept, outputs[kept], inputs[kept]])
    return tuple(_Span(*row) for row in sizes.tolist())


def _of_tile(problem: Problem, rows: _Span, columns: _Span) -> Demand:
    pixels, positions = rows.inputs * columns.inputs, rows.outputs * columns.outputs
    pairs, kernels = problem.exists, problem.kernel_bytes
    output, partial = problem.output_bytes * positions, problem.partial_bytes * positions
    at_once = pixels * _over_all_groups(problem) + kernels.by_kernel_group + output
    macs = problem.operation_macs.by_kernel_group * positions
    apart = _apart(problem, pixels, partial, problem.semantics.occupied(partial, output))
    fits = macs <= problem.accelerator.macs_per_step
    together = (pairs.depth == 1) | (fits & (at_once <= apart))
    n = int(np.where(together, at_once, apart).argmax())
    place = _place(problem, rows, columns)
    if together[n]:
        return _demand_at_once(problem, place, n, pixels, int(at_once[n]), int(output[n]))
    groups = np.arange(pairs.first[n], pairs.stop[n])
    need = pixels * problem.pixel_bytes[groups] + kernels[n, groups]
    k = int(need.argmax())
    held, kind = int(partial[n]), "partial sums"
    if need[k] + held < apart[n]:  # the last step demands most, for its larger output
        k = int(need.argmin())
        held, kind = int(output[n]), "output"
    q = groups[k]
    return Demand(
        int(apart[n]),
        f"{place} with kernel group {n}, channel group {q}: "
        f"{_blocks(pixels, problem.pixel_bytes[q])}, its kernel block of "
        f"{plural(int(kernels[n, q]), 'byte')}, {plural(held, 'byte')} of {kind}",
    )


def _over_all_groups(problem: Problem) -> IntArray:
    """Bytes of one pixel of all channel groups of each kernel group: (N,)."""
    total = np.r_[0, np.cumsum(problem.pixel_bytes)]
    bytes_of: IntArray = total[problem.exists.stop] - total[problem.exists.first]
    return bytes_of


def _apart(problem: Problem, pixels: int, partial: IntArray, last: IntArray) -> IntArray:
    """Demand of each kernel group, one channel group a step, the least demanding one last: (N,).

    An output block takes ``partial`` bytes, and ``last`` ones in the step that completes it.
    """
    n, q = problem.exists.outermost
    need = pixels * problem.pixel_bytes[q] + problem.kernel_bytes[n, q]
    first = np.flatnonzero(np.diff(n, prepend=-1))
    most, least = np.maximum.reduceat(need, first), np.minimum.reduceat(need, first)
    demand: IntArray = np.maximum(most + partial, least + last)
    return demand


def _demand_at_once(
    problem: Problem, place: str, n: int, pixels: int, total: int, output: int
) -> Demand:
    pairs, pixel_bytes = problem.exists, int(_over_all_groups(problem)[n])
    kernel_bytes = int(problem.kernel_bytes.by_kernel_group[n])
    if pairs.depth[n] == 1:
        return Demand(
            total,
            f"{place} with kernel group {n}, channel group {pairs.first[n]}: "
            f"{_blocks(pixels, pixel_bytes)}, its kernel block of "
            f"{plural(kernel_bytes, 'byte')}, {plural(output, 'byte')} of output",
        )
    return Demand(
        total,
        f"{place} with kernel group {n}, its {pairs.depth[n]} channel groups in one step: "
        f"{_blocks(pixels, pixel_bytes)} over all of them, their kernel "
        f"blocks of {plural(kernel_bytes, 'byte')}, {plural(output, 'byte')} of output",
    )


def _blocks(count: int, size: int) -> str:
    return f"{plural(count, 'pixel block')} of {plural(int(size), 'byte')}"


def _place(problem: Problem, rows: _Span, columns: _Span) -> str:
    if problem.decomposition.tile == (1, 1):
        return f"operation ({rows.index}, {columns.index})"
    return f"tile ({rows.index}, {columns.index}) of {rows.outputs} x {columns.outputs} positions"
