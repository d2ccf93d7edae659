"""What an arrangement of operations in steps costs: one sweep that decides what stays on chip.

The sweep goes through the steps in order. A block used in step t and before in step s stays on
chip in between if it fits beside all that was decided before, in every step between. So of blocks
that compete the one needed soonest is kept (Belady's rule, KTNS). For blocks of one size that is
optimal: one that fits displaces at most one of those needed later. Blocks of several sizes make it
a heuristic: pixels and kernels cost the same per byte, so the soonest need still comes first, but
a small block may be kept where a large one no longer fits. What is marked resident stays from its
first to its last use whatever the others do: kernel blocks, and partial sums until they are
complete. A partial sum that is not resident and does not fit is written and loaded again.

The sweep saves what it knows before some steps. For a changed arrangement it starts from the last
of these before the change, and ends at the first one after it where it knows the same again.
"""

from typing import NamedTuple

from offloadasp.search.anneal.compiled import Ints, compiled

# What a sweep is for: the cost alone, to make this arrangement the saved one, to record every use.
TRY, SAVE, RECORD = 0, 1, 2
# How a block comes to a use, as recorded: as for one before in this step, anew, kept since then.
AGAIN, ANEW, KEPT = 0, 1, 2
# The first cells. The random state; the first and last step of the last change, and the block that
# it flipped, or −1; in a sweep a number below all last uses, the last full step, bytes held, bytes
# no longer held after this step; costs of this and of the best arrangement; of the cooling the
# number of the cycle, its length, its age, and Luby's u and v.
RANDOM, LOW, HIGH, FLIPPED, BASE, FULL, HELD, FREED = range(8)
COST, BEST, CYCLE, LENGTH, AGE, LUBY_U, LUBY_V = range(8, 15)
SINGLE = 15


class Sizes(NamedTuple):
    """How much there is of everything, in operations, blocks, bytes, and units of the rules.

    Attributes
    ----------
    operations, steps
        Operations, and steps, some of which may compute nothing.
    pixels, kernels, blocks
        Pixel blocks, kernel blocks and all blocks. They are numbered in this order, outputs last.
    taps
        Blocks that an operation needs or adds to, at most.
    rows, columns
        The grid of tiles. Operations are numbered row by row, pair of groups by pair of groups.
    stride
        Steps from one saved state to the next.
    memory, limit
        Bytes on chip beside what stays for good; multiply-accumulates that a step can do.
    load, spill, compute
        Costs of a byte, of a byte written and loaded again, and of a step.
    least, mixed
        Bytes of the smallest block; whether there are larger ones.
    """

    operations: int
    steps: int
    pixels: int
    kernels: int
    blocks: int
    taps: int
    rows: int
    columns: int
    stride: int
    memory: int
    limit: int
    load: int
    spill: int
    compute: int
    least: int
    mixed: int


class Layout(NamedTuple):
    """Where in the array of cells each part begins. Numba hands one array on faster than thirty.

    Attributes
    ----------
    needs
        Of each operation ``taps`` blocks, kernel and output first, filled up with −1. A kernel
        block that is the only one is not among them, since it stays for good; nor are outputs, if
        none sums over channel groups.
    work, own
        Of each operation: multiply-accumulates; bytes of its output if that is not among its
        blocks.
    size, complete, terms
        Of each block: bytes, as partial sums; bytes when complete; operations.
    sequence, start
        Operations in order; step t, from 1 on, computes those at places ``start[t]`` to
        ``start[t + 1]``. A step that computes nothing does not count.
    resident
        Of each block whether it stays from its first to its last use; pixel blocks do not.
    place, step
        Of each operation its place in the sequence, of each place its step.
    last
        Of each block its last use: the step, above a base that is new in each sweep.
    slack
        Of each step the bytes left.
    done, begun
        Of each kernel and output block: operations done, and the step of the first one.
    saved, saved_slack, saved_done, saved_begun
        Before steps 1, 1 + stride, …: cost so far, the last full step, bytes held; and the three
        above. The cost of all comes after the last of ``saved``.
    old_sequence, old_start
        What the last change rearranged.
    best, first
        Sequence, start and resident of the best and of the first arrangement.
    record
        Of each place ``taps`` entries.
    """

    needs: int
    work: int
    own: int
    size: int
    complete: int
    terms: int
    sequence: int
    start: int
    resident: int
    place: int
    step: int
    last: int
    slack: int
    done: int
    begun: int
    saved: int
    saved_slack: int
    saved_done: int
    saved_begun: int
    old_sequence: int
    old_start: int
    best: int
    first: int
    record: int


@compiled
def sweep(cells: Ints, at: Layout, of: Sizes, mode: int) -> int:
    """Return the cost of an arrangement that differs from the saved one in the last change's steps.

    Returns
    -------
    int
        −1 if it does not fit the memory, or if a step does too much.
    """
    low, high, stride = cells[LOW], cells[HIGH], of.stride
    total = at.saved_slack - 1
    save = (low - 1) // stride
    _begin(cells, at, of, save)
    cost = cells[at.saved + 3 * save]
    for step in range(save * stride + 1, of.steps + 1):
        if step > low and (step - 1) % stride == 0:
            save = (step - 1) // stride
            if step > high and _same(cells, at, of, save, step):
                shift = cost - cells[at.saved + 3 * save]
                if mode == SAVE:
                    for k in range(at.saved + 3 * save, total + 1, 3):
                        cells[k] += shift
                    return cells[total]
                return cells[total] + shift
            if mode == SAVE:
                cells[at.saved + 3 * save] = cost
                _save(cells, at, of, save, step)
        if cells[at.start + step] == cells[at.start + step + 1]:
            cells[at.slack + step] = of.memory
            continue
        more = _step(cells, at, of, step, mode)
        if more < 0:
            return -1
        cost += more
    if mode == SAVE:
        cells[total] = cost
    return cost


@compiled
def _step(cells: Ints, at: Layout, of: Sizes, step: int, mode: int) -> int:
    """Decide what a step finds on chip, and return its cost; −1 if it is invalid."""
    base, cost, taken, work = cells[BASE], of.compute, 0, 0
    cells[FREED] = 0
    for place in range(cells[at.start + step], cells[at.start + step + 1]):
        o = cells[at.sequence + place]
        work += cells[at.work + o]
        taken += cells[at.own + o]
        needs = at.needs + o * of.taps
        for need in range(needs, needs + of.taps):
            b = cells[need]
            if b < 0:
                break
            if b >= of.pixels:
                taken += _count(cells, at, of, b, step)
            before = cells[at.last + b] - base
            if before == step:
                continue
            cells[at.last + b] = base + step
            if not cells[at.resident + b]:
                taken += cells[at.size + b]
            kept = before == step - 1 or _is_kept(cells, at, of, b, before, step)
            if not kept:
                cost += _price(cells, at, of, b)
            if mode == RECORD:
                cells[at.record + place * of.taps + need - needs] = KEPT if kept else ANEW
    room = of.memory - taken - cells[HELD]
    cells[at.slack + step] = room
    cells[HELD] -= cells[FREED]
    if room < of.least:
        cells[FULL] = step
    return cost if room >= 0 and work <= of.limit else -1


@compiled
def _count(cells: Ints, at: Layout, of: Sizes, b: int, step: int) -> int:
    """Count an operation on a kernel or output block; return by how many bytes the block grows."""
    size, h = cells[at.size + b], b - of.pixels
    cells[at.done + h] += 1
    if cells[at.done + h] == 1:
        cells[at.begun + h] = step
        if cells[at.resident + b]:
            cells[HELD] += size
    if cells[at.done + h] < cells[at.terms + b]:
        return 0
    if cells[at.resident + b]:
        cells[FREED] += size
    growth = cells[at.complete + b] - size
    # Begun and complete in one step it never holds partial sums; else the larger size counts.
    return growth if growth > 0 or cells[at.begun + h] == step else 0


@compiled
def _is_kept(cells: Ints, at: Layout, of: Sizes, b: int, before: int, step: int) -> bool:
    """Decide whether a block stays on chip from a use before to this step, with steps between."""
    if b >= of.pixels:
        if cells[at.done + b - of.pixels] == 1:
            return False
        if cells[at.resident + b]:
            return True
    if before < cells[FULL]:
        return False
    size, slack = cells[at.size + b], at.slack
    if of.mixed:
        for t in range(slack + step - 1, slack + before, -1):
            if cells[t] < size:
                return False
    for t in range(before + 1, step):
        cells[slack + t] -= size
        if cells[slack + t] < of.least:
            cells[FULL] = t
    return True


@compiled
def _price(cells: Ints, at: Layout, of: Sizes, b: int) -> int:
    """Return what it costs that a block is not on chip when it is used."""
    if b < of.pixels + of.kernels:
        return of.load * cells[at.size + b]
    # An output begins on chip.
    return of.spill * cells[at.size + b] if cells[at.done + b - of.pixels] > 1 else 0


@compiled
def _begin(cells: Ints, at: Layout, of: Sizes, save: int) -> None:
    """Take up what was saved. Blocks last used before the full step are loaded when used again."""
    full, step = cells[at.saved + 3 * save + 1], save * of.stride + 1
    cells[FULL], cells[HELD] = full, cells[at.saved + 3 * save + 2]
    cells[BASE] += of.steps + 1
    for t in range(full + 1, step):
        cells[at.slack + t] = cells[at.saved_slack + save * (of.steps + 1) + t]
    counted = of.blocks - of.pixels
    for h in range(counted):
        cells[at.done + h] = cells[at.saved_done + save * counted + h]
        cells[at.begun + h] = cells[at.saved_begun + save * counted + h]
    for place in range(cells[at.start + max(full, 1)], cells[at.start + step]):
        now = cells[BASE] + cells[at.step + place]
        first = at.needs + cells[at.sequence + place] * of.taps
        for need in range(first, first + of.taps):
            if cells[need] < 0:
                break
            cells[at.last + cells[need]] = now


@compiled
def _save(cells: Ints, at: Layout, of: Sizes, save: int, step: int) -> None:
    cells[at.saved + 3 * save + 1], cells[at.saved + 3 * save + 2] = cells[FULL], cells[HELD]
    for t in range(cells[FULL] + 1, step):
        cells[at.saved_slack + save * (of.steps + 1) + t] = cells[at.slack + t]
    counted = of.blocks - of.pixels
    for h in range(counted):
        cells[at.saved_done + save * counted + h] = cells[at.done + h]
        cells[at.saved_begun + save * counted + h] = cells[at.begun + h]


@compiled
def _same(cells: Ints, at: Layout, of: Sizes, save: int, step: int) -> bool:
    """Return whether the sweep goes on from here as it did: all that matters happened since."""
    full, before = cells[FULL], at.saved + 3 * save
    if full <= cells[HIGH] or full != cells[before + 1] or cells[HELD] != cells[before + 2]:
        return False
    for t in range(full + 1, step):
        if cells[at.slack + t] != cells[at.saved_slack + save * (of.steps + 1) + t]:
            return False
    return True
