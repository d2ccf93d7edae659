"""What a nest keeps on chip, as the family has it or as memory allows, and what that costs."""

from collections.abc import Iterable, Iterator

import numpy as np

from offloadasp.asp.facts import scale_of
from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.problem import Problem
from offloadasp.search.construct.residency import (
    Schedule,
    Uses,
    bytes_of_kernels,
    distinct,
    keep_soonest,
    keep_together,
    pixel_uses,
)
from offloadasp.search.nests.family import Mapping
from offloadasp.search.nests.plan import Laid

# Shares of the memory that is left which kernel blocks take for good.
_SHARES = (0.0, 1.0, 0.5)


def as_the_family(laid: Laid, mapping: Mapping) -> Schedule | None:
    """Keep from tile to tile what both need of whole operands; None where it does not fit."""
    pixels, kernels, outputs = _family_uses(laid, mapping)
    free = _free(laid, kernels, outputs) - _held(
        pixels, _pixel_bytes(laid.problem, pixels), len(laid.visit)
    )
    return None if free.min() < 0 else _scheduled(laid, pixels, kernels, outputs)


def cheapest(laid: Laid, mapping: Mapping) -> Schedule | None:
    """Return the best of all ways to keep; None where the nest does not fit."""
    others = as_the_family(laid, mapping), together(laid, mapping)
    made = [*as_memory_allows(laid, mapping), *(one for one in others if one is not None)]
    return min(made, key=lambda one: one.cost, default=None)


def together(laid: Laid, mapping: Mapping) -> Schedule | None:
    """Keep outputs as the family does, and of pixels and kernels what is needed soonest."""
    pixels, kernels, outputs = (
        Uses(uses.block, uses.step, uses.block[1:] == uses.block[:-1]) if at < 2 else uses
        for at, uses in enumerate(_family_uses(laid, mapping))
    )
    problem, nothing = laid.problem, np.zeros(max(0, len(kernels.block) - 1), dtype=np.bool_)
    sizes = _pixel_bytes(problem, pixels), bytes_of_kernels(problem, kernels.block)
    used = np.bincount(pixels.step, weights=sizes[0], minlength=len(laid.visit)).astype(np.int64)
    slack = _free(laid, Uses(kernels.block, kernels.step, nothing), outputs) - used
    if slack[1:].min() < 0:
        return None
    return _scheduled(laid, *keep_together(pixels, kernels, sizes, slack), outputs)


def as_memory_allows(
    laid: Laid, mapping: Mapping, shares: Iterable[float] = _SHARES
) -> Iterator[Schedule]:
    """Keep kernels and outputs as the family does and pixels by what is needed soonest.

    Parameters
    ----------
    shares
        Of the memory that is left some kernel blocks take a share for good; shares to try. With
        none taken, more memory never makes it worse where blocks have one size.
    """
    problem = laid.problem
    pixels, kernels, outputs = _family_uses(laid, mapping)
    every = Uses(pixels.block, pixels.step, pixels.block[1:] == pixels.block[:-1])
    used = np.bincount(
        pixels.step, weights=_pixel_bytes(problem, pixels), minlength=len(laid.visit)
    ).astype(np.int64)
    seen: set[int] = set()
    for share in shares:
        room = int((_free(laid, kernels, outputs) - used)[1:].min())
        if room < 0:
            return
        some, count = _resident(problem, kernels, int(room * share))
        if count in seen:
            continue
        seen.add(count)
        free = _free(laid, some, outputs) - used
        if free[1:].min() >= 0:
            slots = np.maximum(0, free) // int(problem.pixel_bytes.max())
            kept = Uses(every.block, every.step, every.joined & keep_soonest(every, slots))
            yield _scheduled(laid, kept, some, outputs)


def _family_uses(laid: Laid, mapping: Mapping) -> tuple[Uses, Uses, Uses]:
    """Return the uses of pixels, kernels and outputs, joined as the family keeps them."""
    problem, order, step = laid.problem, laid.order, laid.step
    kernel = order.n * problem.exists.shape[1] + order.q
    output = (order.i * problem.out_width + order.j) * len(problem.kernel_sizes) + order.n
    mode = mapping.mode
    return (
        _linked(laid, pixel_uses(problem, order, step), whole=mode.inputs),
        _linked(laid, Uses(*distinct(kernel, step)), whole=mode.weights),
        _linked(laid, Uses(*distinct(output, step)), whole=mode.outputs),
    )


def _linked(laid: Laid, uses: Uses, *, whole: bool) -> Uses:
    """Join uses within a tile, and those in two tiles in a row of an operand that is whole."""
    apart = np.diff(laid.visit[uses.step])
    same = uses.block[1:] == uses.block[:-1]
    return Uses(uses.block, uses.step, same & (apart <= (1 if whole else 0)))


def _resident(problem: Problem, kernels: Uses, room: int) -> tuple[Uses, int]:
    """Let so many kernel blocks stay from first to last use as fit into some room."""
    again = np.r_[False, (kernels.block[1:] == kernels.block[:-1]) & ~kernels.joined]
    blocks = np.unique(kernels.block[again])
    sizes = np.cumsum(bytes_of_kernels(problem, blocks)) if len(blocks) else blocks
    chosen = blocks[: int((sizes <= room).sum())]
    stay = np.isin(kernels.block[1:], chosen) & (kernels.block[1:] == kernels.block[:-1])
    return Uses(kernels.block, kernels.step, kernels.joined | stay), len(chosen)


def _pixel_bytes(problem: Problem, pixels: Uses) -> IntArray:
    return problem.pixel_bytes[pixels.block // problem.plane]


def _free(laid: Laid, kernels: Uses, outputs: Uses) -> IntArray:
    """Return the bytes that kernels and outputs leave in each step, shape (steps + 1,)."""
    problem, steps = laid.problem, len(laid.visit)
    taken = _held(kernels, bytes_of_kernels(problem, kernels.block), steps)
    n = outputs.block % len(problem.kernel_sizes)
    partial, complete = problem.partial_bytes[n], problem.output_bytes[n]
    last = np.r_[outputs.block[1:] != outputs.block[:-1], True]
    first = np.r_[True, outputs.block[1:] != outputs.block[:-1]]
    taken += _held(outputs, partial, steps)
    # In the step that completes it, an output has the larger of its two sizes; if it is begun
    # there too, there are no partial sums.
    after = np.where(first, complete, np.maximum(partial, complete))
    np.add.at(taken, outputs.step[last], (after - partial)[last])
    return problem.memory - taken


def _held(uses: Uses, size: IntArray, steps: int) -> IntArray:
    """Return the bytes that residences occupy in each step, shape (steps,)."""
    change = np.zeros(steps + 1, dtype=np.int64)
    np.add.at(change, uses.step[uses.starts], size[uses.starts])
    np.add.at(change, uses.step[uses.stops] + 1, -size[uses.stops])
    return np.cumsum(change)[:-1]


def _scheduled(laid: Laid, pixels: Uses, kernels: Uses, outputs: Uses) -> Schedule:
    problem, scale = laid.problem, scale_of(laid.problem)
    away: BoolArray = (outputs.block[1:] == outputs.block[:-1]) & ~outputs.joined
    n = outputs.block[1:][away] % len(problem.kernel_sizes)
    loaded = int(_pixel_bytes(problem, pixels)[pixels.starts].sum())
    loaded += int(bytes_of_kernels(problem, kernels.block[kernels.starts]).sum())
    cost = (
        scale.load * loaded
        + (scale.load + scale.write) * int(problem.partial_bytes[n].sum())
        + scale.write * problem.output_total
        + scale.compute * int(laid.step[-1])
    )
    return Schedule(cost, laid.order, laid.step, pixels, kernels, outputs)
