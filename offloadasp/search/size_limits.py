"""Whether a problem has a strategy at all, and whether searches of it are in reach."""

from offloadasp.asp.facts import scale_of
from offloadasp.base.errors import InfeasibleError
from offloadasp.base.messages import plural
from offloadasp.bounds import least_macs, least_memory
from offloadasp.model.problem import Problem

# Ground rules above which the complete search is not tried: it would not end in hours.
GROUND_LIMIT = 2_000_000
# Operations, and blocks that all of them need, at most, for a local search: beyond, a change takes
# too long. Costs at most: their products with chances must stay below 64 bits.
_SEARCHED, _NEEDS, _COST = 6_000, 1_000_000, 2**40
# Operations at positions of a plan that check.lp will replay. As many were measured on one core:
# 18 s and 1.4 GB with 28 a step, 42 s (with others at work beside) and 4.3 GB with one a step.
CHECKED = 200_000


def require_feasible(problem: Problem) -> None:
    """Refuse a problem without any strategy.

    Raises
    ------
    InfeasibleError
        Says the least memory, or the least work per step, that would do, and what demands it.
    """
    accelerator = problem.accelerator
    macs = least_macs(problem)
    if accelerator.macs_per_step < macs.value:
        raise InfeasibleError(
            f"accelerator.macs_per_step = {accelerator.macs_per_step} is too small; "
            f"at least {macs.value} are needed: {macs.what}"
        )
    memory = least_memory(problem)
    if problem.capacity < memory.value:
        raise InfeasibleError(
            f"accelerator.memory = {plural(problem.capacity, 'byte')} is too small; "
            f"at least {memory.value} are needed: {memory.what}"
        )


def operations(problem: Problem) -> int:
    """Return the number of operations, tiles counted once."""
    rows, columns = problem.tile_grid
    return rows * columns * problem.exists.count


def rules_estimate(problem: Problem, steps: int) -> int:
    """Estimate the ground rules of a complete search: operations and blocks in every step."""
    rows, columns = problem.reads
    height, width = problem.decomposition.tile
    taps = rows.most * columns.most * height * width
    blocks = problem.pixels * problem.exists.shape[1] + problem.exists.count
    outputs = problem.positions * problem.exists.shape[0]
    return int(steps * (operations(problem) * (taps + 6) + 5 * blocks + 12 * outputs))


def within_reach(problem: Problem) -> bool:
    """Return whether a problem is small enough for the local search."""
    height, width = problem.decomposition.tile
    rows, columns = problem.reads
    needs = operations(problem) * rows.most * height * columns.most * width
    scale, largest = scale_of(problem), problem.kernel_bytes.max() + int(problem.pixel_bytes.max())
    spilled = int(problem.partial_bytes.max()) * height * width * (scale.load + scale.write)
    dearest = needs * largest * scale.load + operations(problem) * (spilled + scale.compute)
    return operations(problem) <= _SEARCHED and needs <= _NEEDS and dearest < _COST


def quickly_checked(problem: Problem) -> bool:
    """Return whether the rules check plans of a problem quickly."""
    return problem.positions * problem.exists.count <= CHECKED


def fits(problem: Problem) -> bool:
    """Return whether a strategy exists for a problem."""
    return (
        least_memory(problem).value <= problem.capacity
        and least_macs(problem).value <= problem.accelerator.macs_per_step
    )
