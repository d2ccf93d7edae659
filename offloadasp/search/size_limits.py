"""Whether a problem has a strategy at all, and whether searches of it are in reach."""

import math

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
# Operations at positions of the plans that are tried: always, with more time, and at most. What it
# takes to check a plan is in offloadasp/asp/verifying.py: 5 s and 500 MB at 1,600,000. In the
# search itself as many take 1.2 GB, and some seconds a plan.
CHECKED, _TRIED_A_SECOND, _TRIED = 200_000, 10_000, 1_500_000


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
    patch = int(rows.distinct(height).max()) * int(columns.distinct(width).max())
    needs = operations(problem) * patch
    scale, largest = scale_of(problem), problem.kernel_bytes.max() + int(problem.pixel_bytes.max())
    spilled = int(problem.partial_bytes.max()) * height * width * (scale.load + scale.write)
    dearest = needs * largest * scale.load + operations(problem) * (spilled + scale.compute)
    return operations(problem) <= _SEARCHED and needs <= _NEEDS and dearest < _COST


def most_tried(seconds: float) -> int:
    """Return how many operations at positions a plan may have; infinite: effort is counted."""
    if math.isinf(seconds):
        return CHECKED
    return min(_TRIED, max(CHECKED, int(seconds * _TRIED_A_SECOND)))


def quickly_checked(problem: Problem, most: int = CHECKED) -> bool:
    """Return whether plans of a problem have few enough operations at positions."""
    return problem.positions * problem.exists.count <= most


def fits(problem: Problem) -> bool:
    """Return whether a strategy exists for a problem."""
    return (
        least_memory(problem).value <= problem.capacity
        and least_macs(problem).value <= problem.accelerator.macs_per_step
    )
