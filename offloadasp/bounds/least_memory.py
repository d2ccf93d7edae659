"""The least memory and the least MACs per step with which a strategy exists.

Every step can be restricted to the operations of one output block, the rest of which is written
back before; docs/bounds.md, section 7. So the demand is the greatest over output blocks of the
least over ways to compute one of them: all of its channel groups in one step, or one a step.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.base.messages import plural
from offloadasp.model.problem import Problem


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
    n, q = np.unravel_index(int(macs.argmax()), macs.shape)
    rows, columns = (_spans(problem, axis)[0] for axis in (0, 1))
    positions = rows.outputs * columns.outputs
    value = int(macs[n, q]) * positions
    where = f"{_place(problem, rows, columns)} with kernel group {n}, channel group {q}"
    taps = "x".join(map(str, problem.layer.kernel_shape))
    shared = int(problem.shared_channels[n, q])
    return Demand(
        value,
        f"{where}: {plural(value, 'multiply-accumulate')}, {plural(positions, 'position')} of "
        f"{taps} taps for {plural(shared, 'pair')} of kernel and channel",
    )


def least_memory(problem: Problem) -> Demand:
    """Return the bytes on chip below which no strategy exists for this decomposition.

    With that much memory one exists, provided that ``macs_per_step`` allows every operation.
    """
    spans = (_largest(_spans(problem, axis)) for axis in (0, 1))
    found = [_of_tile(problem, rows, columns) for rows, columns in itertools.product(*spans)]
    return max(found, key=lambda demand: demand.value)


def _spans(problem: Problem, axis: int) -> list[_Span]:
    taps, tile = problem.taps_per_axis[axis], problem.decomposition.tile[axis]
    first = np.arange(0, len(taps), tile)
    inputs = np.logical_or.reduceat(taps, first, axis=0).sum(axis=1)
    outputs = np.diff(np.r_[first, len(taps)])
    sizes = zip(outputs.tolist(), inputs.tolist(), strict=True)
    return [_Span(k, *size) for k, size in enumerate(sizes)]


def _largest(spans: list[_Span]) -> list[_Span]:
    """Leave out the spans that hold no more outputs and no more inputs than another one."""
    kept: list[_Span] = []
    for span in sorted(spans, key=lambda span: (-span.outputs, -span.inputs, span.index)):
        if all(span.inputs > other.inputs for other in kept):
            kept.append(span)
    return kept


def _of_tile(problem: Problem, rows: _Span, columns: _Span) -> Demand:
    pixels, positions = rows.inputs * columns.inputs, rows.outputs * columns.outputs
    exists, kernels = problem.exists, problem.kernel_bytes
    output, partial = problem.output_bytes * positions, problem.partial_bytes * positions
    need = pixels * problem.pixel_bytes + kernels
    at_once = np.where(exists, need, 0).sum(axis=1) + output
    macs = problem.operation_macs.sum(axis=1) * positions
    single = exists.sum(axis=1) == 1
    apart = _apart(need, exists, partial, problem.semantics.occupied(partial, output))
    together = single | ((macs <= problem.accelerator.macs_per_step) & (at_once <= apart))
    n = int(np.where(together, at_once, apart).argmax())
    place = _place(problem, rows, columns)
    if together[n]:
        return _demand_at_once(problem, place, n, pixels, int(at_once[n]), int(output[n]))
    q = int(np.where(exists[n], need[n], -1).argmax())
    held, kind = int(partial[n]), "partial sums"
    if need[n, q] + held < apart[n]:  # the last step demands most, for its larger output
        q = int(np.where(exists[n], need[n], need[n].max() + 1).argmin())
        held, kind = int(output[n]), "output"
    return Demand(
        int(apart[n]),
        f"{place} with kernel group {n}, channel group {q}: "
        f"{_blocks(pixels, problem.pixel_bytes[q])}, its kernel block of "
        f"{plural(int(kernels[n, q]), 'byte')}, {plural(held, 'byte')} of {kind}",
    )


def _apart(need: IntArray, exists: BoolArray, partial: IntArray, last: IntArray) -> IntArray:
    """Demand of each kernel group, one channel group a step, the least demanding one last: (N,).

    An output block takes ``partial`` bytes, and ``last`` ones in the step that completes it.
    """
    most = np.where(exists, need, 0).max(axis=1)
    least = np.where(exists, need, most[:, None]).min(axis=1)
    demand: IntArray = np.maximum(most + partial, least + last)
    return demand


def _demand_at_once(
    problem: Problem, place: str, n: int, pixels: int, total: int, output: int
) -> Demand:
    groups = np.flatnonzero(problem.exists[n])
    kernel_bytes = int(problem.kernel_bytes[n, groups].sum())
    if len(groups) == 1:
        (q,) = groups
        return Demand(
            total,
            f"{place} with kernel group {n}, channel group {q}: "
            f"{_blocks(pixels, problem.pixel_bytes[q])}, its kernel block of "
            f"{plural(kernel_bytes, 'byte')}, {plural(output, 'byte')} of output",
        )
    return Demand(
        total,
        f"{place} with kernel group {n}, its {len(groups)} channel groups in one step: "
        f"{_blocks(pixels, problem.pixel_bytes[groups].sum())} over all of them, their kernel "
        f"blocks of {plural(kernel_bytes, 'byte')}, {plural(output, 'byte')} of output",
    )


def _blocks(count: int, size: int) -> str:
    return f"{plural(count, 'pixel block')} of {plural(int(size), 'byte')}"


def _place(problem: Problem, rows: _Span, columns: _Span) -> str:
    if problem.decomposition.tile == (1, 1):
        return f"operation ({rows.index}, {columns.index})"
    return f"tile ({rows.index}, {columns.index}) of {rows.outputs} x {columns.outputs} positions"
