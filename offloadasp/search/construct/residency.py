"""What to keep on chip for a given order of operations in given steps, and what that costs.

Kernels: some stay from their first to their last use, the others only while consecutive steps
use them. Partial sums stay until they are complete. Pixels share the memory that is left: *keep
the block needed soonest* (KTNS, Belady's rule) is optimal for blocks of one size in a memory whose
capacity varies over the steps, since it drops the gap that reaches furthest.
"""

from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush

import numpy as np

from offloadasp.asp.facts import scale_of
from offloadasp.base.arrays import BoolArray, IntArray, ranges
from offloadasp.model.instance import Layer
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.reads import reads_of
from offloadasp.search.construct.order import Order, order_at


@dataclass(frozen=True)
class Uses:
    """Which blocks are used in which steps: sorted by block, then step.

    Attributes
    ----------
    block, step
        One entry a block and step, shape (uses,).
    joined
        Whether the block stays on chip from this use to the next entry, shape (uses − 1,).
    """

    block: IntArray
    step: IntArray
    joined: BoolArray

    @property
    def starts(self) -> BoolArray:
        """Entries at which a residence begins: the block is loaded (or created)."""
        starts = np.ones(len(self.block), dtype=np.bool_)
        starts[1:] = ~self.joined
        return starts

    @property
    def stops(self) -> BoolArray:
        """Entries at which a residence ends."""
        stops = np.ones(len(self.block), dtype=np.bool_)
        stops[:-1] = ~self.joined
        return stops


@dataclass(frozen=True)
class Schedule:
    """An order in steps with what is kept, and its cost in units of the rules.

    Attributes
    ----------
    cost
        In units of :class:`~offloadasp.asp.facts.Scale`.
    outputs
        Uses of outputs, counted as tile · N + n; None: each stays until it is complete.
    """

    cost: int
    order: Order
    step: IntArray
    pixels: Uses
    kernels: Uses
    outputs: Uses | None = None


def schedule(
    problem: Problem,
    order: Order,
    step: IntArray,
    residents: int,
    best: int | None = None,
    patience: int | None = 1,
) -> Schedule | None:
    """Decide what to keep, or return None where it does not fit or cannot beat ``best``.

    Parameters
    ----------
    residents
        How many kernel blocks, in their order, stay on chip from first to last use.
    best
        A cost to beat, in units of the rules.
    patience
        Other kernel blocks stay on chip between two uses that are at most so many steps apart.
        None: kernel blocks share the memory with pixels, and what is needed soonest is kept.
    """
    if patience is None:
        return _shared(problem, order, step, best)
    scale = scale_of(problem)
    last = int(step[-1])
    kernels, kernel_bytes = _kernels(problem, order, step, residents, patience)
    fixed = (
        scale.load * int(bytes_of_kernels(problem, kernels.block[kernels.starts]).sum())
        + scale.write * problem.output_total
        + scale.compute * last
    )
    if best is not None and fixed + scale.load * problem.input_total >= best:
        return None
    occupied = kernel_bytes + _output_occupancy(problem, order, step)
    if occupied.max() > problem.memory:
        return None
    pixels = pixel_uses(problem, order, step)
    bytes_of = problem.pixel_bytes[pixels.block // problem.plane]
    occupied += np.bincount(pixels.step, weights=bytes_of, minlength=last + 2).astype(np.int64)
    slack = (problem.memory - occupied)[: last + 1]
    if slack[1:].min() < 0:
        return None
    kept = keep_soonest(pixels, slack // int(problem.pixel_bytes.max()))
    pixels = Uses(pixels.block, pixels.step, pixels.joined & kept)
    cost = fixed + scale.load * int(bytes_of[pixels.starts].sum())
    return Schedule(cost, order, step, pixels, kernels)


def _shared(problem: Problem, order: Order, step: IntArray, best: int | None) -> Schedule | None:
    """Schedule with the memory shared among kernels and pixels; see :func:`schedule`."""
    scale, last = scale_of(problem), int(step[-1])
    fixed = scale.write * problem.output_total + scale.compute * last
    least = scale.load * (problem.input_total + problem.kernel_total)
    if best is not None and fixed + least >= best:
        return None
    pixels = pixel_uses(problem, order, step)
    kernels = Uses(*distinct(order.n * problem.exists.shape[1] + order.q, step))
    sizes = (
        problem.pixel_bytes[pixels.block // problem.plane],
        bytes_of_kernels(problem, kernels.block),
    )
    occupied = _output_occupancy(problem, order, step)
    for uses, size in zip((pixels, kernels), sizes, strict=True):
        occupied += np.bincount(uses.step, weights=size, minlength=last + 2).astype(np.int64)
    slack = (problem.memory - occupied)[: last + 1]
    if slack[1:].min() < 0:
        return None
    pixels, kernels = keep_together(pixels, kernels, sizes, slack)
    loads = int(sizes[0][pixels.starts].sum() + sizes[1][kernels.starts].sum())
    return Schedule(fixed + scale.load * loads, order, step, pixels, kernels)


def keep_together(
    pixels: Uses, kernels: Uses, sizes: tuple[IntArray, IntArray], slack: IntArray
) -> tuple[Uses, Uses]:
    """Keep of pixels and kernels what is needed soonest.

    Parameters
    ----------
    pixels, kernels
        Their uses; joined where a gap may be kept.
    sizes
        Bytes of the block of each use, of pixels and of kernels.
    slack
        Bytes beside all that a step uses, shape (steps + 1,).
    """
    # One list of uses: between the last one of a pixel and the first one of a kernel is no gap.
    both = Uses(
        np.r_[pixels.block, kernels.block],
        np.r_[pixels.step, kernels.step],
        np.r_[pixels.joined, np.zeros(min(1, len(pixels.block)), dtype=np.bool_), kernels.joined],
    )
    kept = both.joined & keep_soonest(both, slack, np.concatenate(sizes))
    count = len(pixels.block)  # 0 where every patch is padding
    return (
        Uses(pixels.block, pixels.step, kept[: max(0, count - 1)]),
        Uses(kernels.block, kernels.step, kept[count:]),
    )


def distinct(block: IntArray, step: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Return the distinct pairs of block and step, sorted, and which follow one of their block."""
    span = int(step.max(initial=0)) + 1
    block, step = np.divmod(_sorted_distinct(block * span + step), span)
    return block, step, block[1:] == block[:-1]


def _sorted_distinct(key: IntArray) -> IntArray:
    key = np.sort(key)  # several times as fast as np.unique
    new = np.ones(len(key), dtype=np.bool_)
    new[1:] = key[1:] != key[:-1]
    found: IntArray = key[new]
    return found


def _kernels(
    problem: Problem, order: Order, step: IntArray, residents: int, patience: int
) -> tuple[Uses, IntArray]:
    """Return the kernel blocks' uses and the bytes they occupy in each step, shape (last + 2,)."""
    groups = problem.exists.shape[1]
    block, at, same = distinct(order.n * groups + order.q, step)
    number = problem.exists.number(*np.divmod(block, groups))
    joined = same & ((np.diff(at) <= patience) | (number[1:] < residents))
    uses = Uses(block, at, joined)
    occupied = np.zeros(int(step[-1]) + 2, dtype=np.int64)
    np.add.at(occupied, at[uses.starts], bytes_of_kernels(problem, block[uses.starts]))
    np.add.at(occupied, at[uses.stops] + 1, -bytes_of_kernels(problem, block[uses.stops]))
    return uses, np.cumsum(occupied)


def bytes_of_kernels(problem: Problem, block: IntArray) -> IntArray:
    """Return the bytes of kernel blocks, counted as n · Q + q."""
    return problem.kernel_bytes[np.divmod(block, problem.exists.shape[1])]


def _output_occupancy(problem: Problem, order: Order, step: IntArray) -> IntArray:
    """Return the bytes of outputs on chip while each step computes, shape (last + 2,)."""
    _, first, last = _output_spans(problem, order, step)
    n = np.tile(np.arange(len(problem.kernel_sizes)), problem.positions)
    return problem.semantics.occupied_by_outputs(
        first, last, problem.partial_bytes[n], problem.output_bytes[n], int(step[-1]) + 1
    )


def _output_spans(
    problem: Problem, order: Order, step: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Return (position, n) indices and the first and last step of each output block."""
    groups = len(problem.kernel_sizes)
    block = (order.i * problem.out_width + order.j) * groups + order.n
    first = np.full(problem.positions * groups, step[-1] + 1)
    final = np.zeros(problem.positions * groups, dtype=np.int64)
    np.minimum.at(first, block, step)
    np.maximum.at(final, block, step)
    return np.arange(len(first)), first, final


@lru_cache(maxsize=4)
def _patches_of(layer: Layer) -> IntArray:
    rows, columns = (reads_of(layer, axis).listed() for axis in (0, 1))
    r, c = rows[:, None, :, None], columns[None, :, None, :]
    flat = np.where((r < 0) | (c < 0), -1, r * layer.input[2] + c)
    return flat.reshape(len(rows) * len(columns), -1)


def patches(problem: Problem) -> IntArray:
    """Return the input positions ``r·W + c`` that each output position reads, padded with −1.

    Returns
    -------
    array of int, shape (Ho·Wo, taps)
    """
    return _patches_of(problem.layer)


def pixel_uses(problem: Problem, order: Order, step: IntArray) -> Uses:
    """Return which pixel blocks, counted as q · (H · W) + (r · W + c), are used in which steps.

    Operations beside each other read almost the same pixels. So they are joined to runs along a
    row of outputs before the rows of their patches, and then the columns, are listed.
    """
    width = problem.out_width
    line = (step * problem.exists.shape[1] + order.q) * problem.out_height + order.i
    cell = _sorted_distinct(line * width + order.j)  # kernel groups of a step share their pixels
    begins = np.flatnonzero((np.diff(cell, prepend=-2) != 1) | (cell % width == 0))
    line, first = np.divmod(cell[begins], width)
    ends = first + np.diff(begins, append=len(cell))
    spans, span = np.unique(first * (width + 1) + ends, return_inverse=True)
    rows, columns = (reads.listed() for reads in problem.reads)
    # One entry a step, channel group, input row, and span of outputs that read from it.
    row = rows[line % problem.out_height]
    key = (line // problem.out_height)[:, None] * problem.layer.input[1] + row
    key = _sorted_distinct((key * len(spans) + span.reshape(-1, 1))[row >= 0])
    key, span = np.divmod(key, max(1, len(spans)))
    each = [np.unique(columns[a:b]) for a, b in zip(*np.divmod(spans, width + 1), strict=True)]
    each = [read[read >= 0] for read in each]
    count = np.array([len(read) for read in each], dtype=np.int64)
    offset = np.cumsum(count) - count
    here, nth = ranges(offset[span], (offset + count)[span])
    column = np.concatenate([*each, np.zeros(0, dtype=np.int64)])[nth]
    group, row = np.divmod(key, problem.layer.input[1])
    at, q = np.divmod(group, problem.exists.shape[1])
    block = q[here] * problem.plane + row[here] * problem.layer.input[2] + column
    return Uses(*distinct(block, at[here]))


def keep_soonest(uses: Uses, slots: IntArray, sizes: IntArray | None = None) -> BoolArray:
    """Return which gaps between uses of one block to keep, given free slots in each step.

    A gap between consecutive steps needs no slot. Sweeping over the steps, a gap joins when it
    begins; where too many are open the one that ends last is dropped.

    Parameters
    ----------
    sizes
        Slots that the block of each use takes, shape (uses,); one each by default.
    """
    kept = np.ones(len(uses.joined), dtype=bool)
    begin, end = uses.step[:-1] + 1, uses.step[1:]
    gaps = np.flatnonzero(uses.joined & (end > begin))
    gaps = gaps[np.argsort(begin[gaps], kind="stable")]
    opening = np.searchsorted(begin[gaps], np.arange(len(slots) + 1)).tolist()
    ends, free = end[gaps].tolist(), slots.tolist()
    size = [1] * len(gaps) if sizes is None else sizes[gaps].tolist()
    closing = [0] * (len(slots) + 1)
    heap: list[int] = []  # gaps, the one that ends last first: one number each, which is fastest
    span, held = len(gaps) + 1, 0
    dropped: list[int] = []
    for at in range(1, len(slots)):
        held -= closing[at]
        for k in range(opening[at], opening[at + 1]):
            heappush(heap, k - ends[k] * span)
            closing[ends[k]] += size[k]
            held += size[k]
        while held > free[at]:
            gap = heappop(heap) % span
            closing[ends[gap]] -= size[gap]
            held -= size[gap]
            dropped.append(gap)
    kept[gaps[dropped]] = False
    return kept


def plan_of(problem: Problem, found: Schedule) -> Plan:
    """Turn a schedule into actions: loads where residences begin, frees where they end."""
    order, step, width = found.order, found.step, problem.layer.input[2]
    channel_groups = problem.exists.shape[1]

    def pixels(at: BoolArray, later: int) -> IntArray:
        block = found.pixels.block[at]
        q, flat = block // problem.plane, block % problem.plane
        return np.column_stack([found.pixels.step[at] + later, q, flat // width, flat % width])

    def kernels(at: BoolArray, later: int) -> IntArray:
        block = found.kernels.block[at]
        return np.column_stack(
            [found.kernels.step[at] + later, block // channel_groups, block % channel_groups]
        )

    block, _, last = _output_spans(problem, order, step)
    n, position = block % len(problem.kernel_sizes), block // len(problem.kernel_sizes)
    spills, reloads = _spills(problem, found)
    return Plan(
        problem,
        free_pixels=pixels(found.pixels.stops, 1),
        free_kernels=kernels(found.kernels.stops, 1),
        write_outputs=np.column_stack(
            [last + 1, n, position // problem.out_width, position % problem.out_width]
        ),
        write_partial_sums=spills,
        load_pixels=pixels(found.pixels.starts, 0),
        load_kernels=kernels(found.kernels.starts, 0),
        load_partial_sums=reloads,
        compute=np.column_stack([step, order.n, order.q, order.i, order.j]),
    )


def schedule_from(plan: Plan) -> Schedule:
    """Return the order, the steps and the loads of a plan as a schedule to begin a search with.

    Its uses are the loads alone; how long a block then stays is for the search to decide.
    """
    problem = plan.problem
    step, n, q, i, j = plan.compute.T
    height, width = problem.decomposition.tile
    columns = problem.tile_grid[1]
    tile = i // height * columns + j // width
    begins = np.ones(len(step), dtype=np.bool_)
    begins[1:] = (np.diff(n) != 0) | (np.diff(q) != 0) | (np.diff(tile) != 0)
    unit = np.cumsum(begins) - 1
    runs = np.arange(int(unit[-1]) + 1)
    pixels, kernels = plan.load_pixels, plan.load_kernels
    r_c = pixels[:, 2] * problem.layer.input[2] + pixels[:, 3]
    return Schedule(
        cost=int((plan.cost - problem.prices.fixed) / scale_of(problem).unit),
        order=Order(n, q, i, j, unit, runs, runs),
        step=step,
        pixels=_loads(pixels[:, 1] * problem.plane + r_c, pixels[:, 0]),
        kernels=_loads(kernels[:, 1] * problem.exists.shape[1] + kernels[:, 2], kernels[:, 0]),
    )


def _loads(block: IntArray, step: IntArray) -> Uses:
    by_block = np.lexsort([step, block])
    return Uses(block[by_block], step[by_block], np.zeros(max(0, len(block) - 1), dtype=np.bool_))


def _spills(problem: Problem, found: Schedule) -> tuple[IntArray, IntArray]:
    """Return the partial sums that are written, and loaded, as rows ``(step, n, i, j)``."""
    uses = found.outputs
    if uses is None:
        return np.zeros((0, 4), dtype=np.int64), np.zeros((0, 4), dtype=np.int64)
    # Gaps over which outputs are dropped: written after the use before, loaded at the use after.
    dropped = np.flatnonzero((uses.block[1:] == uses.block[:-1]) & ~uses.joined)
    tile, n = np.divmod(uses.block[dropped], len(problem.kernel_sizes))
    row, column = np.divmod(tile, problem.tile_grid[1])
    at = order_at(problem, n, 0 * n, row, column)
    step = uses.step[dropped][at.unit], uses.step[dropped + 1][at.unit]
    return (
        np.column_stack([step[0] + 1, at.n, at.i, at.j]),
        np.column_stack([step[1], at.n, at.i, at.j]),
    )
