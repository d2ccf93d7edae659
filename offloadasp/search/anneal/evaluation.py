"""What an arrangement of operations in steps costs: decide step by step what stays on chip.

The cost counts steps, and blocks that are loaded or spilled. Steps are taken in their order. A
block used in step t and before in step s stays on chip in between if it fits there beside all that
was decided before. So of the blocks that compete the one needed soonest is kept (Belady's rule,
KTNS). For blocks of one size that is optimal: one that fits displaces at most one of those needed
later. For blocks of several sizes it is a heuristic: pixels and kernels cost the same per byte, so
the soonest need still comes first, but a small block may be kept where a large one no longer fits.

Resident blocks stay from their first to their last use whatever the others do: kernel blocks, and
partial sums until they are complete. A partial sum that is not resident and does not fit is
spilled: written, and loaded again.

The evaluation of the present arrangement leaves checkpoints before some steps. For a changed
arrangement it starts from the last checkpoint before the change, and ends at the first one after
the change where it knows the same again: from there on nothing differs.
"""

from enum import IntEnum

from offloadasp.search.anneal.numba_or_python import compiled
from offloadasp.search.anneal.state import Arrangement, Checkpoints, LayerData, Memory, State


class Purpose(IntEnum):
    """What an evaluation is for."""

    TRY = 0  # the cost alone
    SAVE = 1  # to make this arrangement the present one: checkpoints are written
    RECORD = 2  # to write down how each block comes to each of its uses


class Origin(IntEnum):
    """How a block comes to a use."""

    SAME_STEP = 0  # another operation of the step used it before
    FETCHED = 1  # loaded, or created
    KEPT = 2  # on chip since its last use, in an earlier step


@compiled
def evaluate(state: State, purpose: Purpose) -> int:
    """Return the cost of an arrangement, in units of the rules.

    The checkpoints are those of an arrangement that differs in the steps of ``state.change`` only.

    Returns
    -------
    int
        −1 if it does not fit the memory, or if a step does too much.
    """
    layer, arrangement = state.layer, state.arrangement
    memory, saved = state.memory, state.checkpoints
    first, last = state.change.first_step, state.change.last_step
    checkpoint = (first - 1) // saved.every
    _resume(state, checkpoint)
    cost = saved.cost[checkpoint]
    for step in range(checkpoint * saved.every + 1, state.steps + 1):
        if step > first and (step - 1) % saved.every == 0:
            checkpoint = (step - 1) // saved.every
            if step > last and _as_saved(memory, saved, last, checkpoint, step):
                shift = cost - saved.cost[checkpoint]
                if purpose == Purpose.SAVE:
                    _shift(saved, checkpoint, shift)
                    shift = 0
                return saved.cost[-1] + shift
            if purpose == Purpose.SAVE:
                saved.cost[checkpoint] = cost
                _save(memory, saved, checkpoint, step)
        if arrangement.start[step] == arrangement.start[step + 1]:
            memory.free[step] = layer.memory
            continue
        more = _evaluate_step(layer, arrangement, memory, step, purpose == Purpose.RECORD)
        if more < 0:
            return -1
        cost += more
    if purpose == Purpose.SAVE:
        saved.cost[-1] = cost
    return cost


@compiled
def _evaluate_step(
    layer: LayerData, arrangement: Arrangement, memory: Memory, step: int, recording: bool
) -> int:
    """Decide what a step finds on chip, and return its cost; −1 if it is invalid."""
    totals, last_use, needs = memory.totals, memory.last_use, layer.needs
    taps, base = layer.taps, totals.base
    cost, taken, macs = layer.step_cost, 0, 0
    totals.leaving = 0
    for place in range(arrangement.start[step], arrangement.start[step + 1]):
        operation = arrangement.sequence[place]
        macs += layer.macs[operation]
        taken += layer.output_bytes[operation]
        for nth in range(taps):
            block = needs[operation * taps + nth]
            if block < 0:
                break
            if block >= layer.pixels:
                taken += _count(layer, arrangement, memory, block, step)
            before = last_use[block] - base
            if before == step:
                continue
            last_use[block] = base + step
            if not arrangement.resident[block]:
                taken += layer.size[block]
            kept = before == step - 1 or _keep(layer, arrangement, memory, block, before, step)
            if not kept:
                cost += _price(layer, memory, block)
            if recording:
                memory.origin[place * taps + nth] = Origin.KEPT if kept else Origin.FETCHED
    room = layer.memory - taken - totals.held
    memory.free[step] = room
    totals.held -= totals.leaving
    if room < layer.smallest:
        totals.full_step = step
    return cost if room >= 0 and macs <= layer.macs_per_step else -1


@compiled
def _count(
    layer: LayerData, arrangement: Arrangement, memory: Memory, block: int, step: int
) -> int:
    """Count an operation on a kernel or output block; return by how many bytes the block grows."""
    totals, size, counted = memory.totals, layer.size[block], block - layer.pixels
    memory.done[counted] += 1
    if memory.done[counted] == 1:
        memory.begun[counted] = step
        if arrangement.resident[block]:
            totals.held += size
    if memory.done[counted] < layer.users[counted]:
        return 0
    if arrangement.resident[block]:
        totals.leaving += size
    growth = layer.complete_size[block] - size
    # Begun and complete in one step it never holds partial sums; else the larger size counts.
    return growth if growth > 0 or memory.begun[counted] == step else 0


@compiled
def _keep(
    layer: LayerData, arrangement: Arrangement, memory: Memory, block: int, before: int, step: int
) -> bool:
    """Keep a block on chip from a use before to this step if it fits; return whether it does."""
    if block >= layer.pixels:
        if memory.done[block - layer.pixels] == 1:
            return False
        if arrangement.resident[block]:
            return True
    totals, free = memory.totals, memory.free
    if before < totals.full_step:
        return False
    size, smallest = layer.size[block], layer.smallest
    if layer.sizes_differ:
        for between in range(step - 1, before, -1):
            if free[between] < size:
                return False
    for between in range(before + 1, step):
        free[between] -= size
        if free[between] < smallest:
            totals.full_step = between
    return True


@compiled
def _price(layer: LayerData, memory: Memory, block: int) -> int:
    """Return what it costs that a block is not on chip when it is used."""
    if block < layer.pixels + layer.kernels:
        return layer.load_cost * layer.size[block]
    # An output begins on chip.
    if memory.done[block - layer.pixels] > 1:
        return layer.spill_cost * layer.size[block]
    return 0


@compiled
def _resume(state: State, checkpoint: int) -> None:
    """Take up a checkpoint. Blocks last used before the full step are loaded when used again."""
    layer, arrangement = state.layer, state.arrangement
    memory, saved = state.memory, state.checkpoints
    full_step, step = saved.full_step[checkpoint], checkpoint * saved.every + 1
    memory.totals.full_step, memory.totals.held = full_step, saved.held[checkpoint]
    memory.totals.base += len(memory.free)
    for t in range(full_step + 1, step):
        memory.free[t] = saved.free[checkpoint * len(memory.free) + t]
    counted = len(memory.done)
    for k in range(counted):
        memory.done[k] = saved.done[checkpoint * counted + k]
        memory.begun[k] = saved.begun[checkpoint * counted + k]
    base, taps = memory.totals.base, layer.taps
    for place in range(arrangement.start[max(full_step, 1)], arrangement.start[step]):
        used = base + state.positions.step[place]
        operation = arrangement.sequence[place]
        for need in range(operation * taps, (operation + 1) * taps):
            if layer.needs[need] < 0:
                break
            memory.last_use[layer.needs[need]] = used


@compiled
def _save(memory: Memory, saved: Checkpoints, checkpoint: int, step: int) -> None:
    """Write a checkpoint before a step."""
    saved.full_step[checkpoint] = memory.totals.full_step
    saved.held[checkpoint] = memory.totals.held
    for t in range(memory.totals.full_step + 1, step):
        saved.free[checkpoint * len(memory.free) + t] = memory.free[t]
    counted = len(memory.done)
    for k in range(counted):
        saved.done[checkpoint * counted + k] = memory.done[k]
        saved.begun[checkpoint * counted + k] = memory.begun[k]


@compiled
def _shift(saved: Checkpoints, checkpoint: int, shift: int) -> None:
    """Add a number to the costs from a checkpoint on."""
    for k in range(checkpoint, len(saved.cost)):
        saved.cost[k] += shift


@compiled
def _as_saved(memory: Memory, saved: Checkpoints, last: int, checkpoint: int, step: int) -> bool:
    """Return whether the rest costs what it did: all that it depends on is as at the checkpoint."""
    full_step = memory.totals.full_step
    if full_step <= last or full_step != saved.full_step[checkpoint]:
        return False
    if memory.totals.held != saved.held[checkpoint]:
        return False
    for t in range(full_step + 1, step):
        if memory.free[t] != saved.free[checkpoint * len(memory.free) + t]:
            return False
    return True
