"""Which decompositions and which blockings of them to look at, by an estimate of what they cost."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from offloadasp.model.problem import Problem
from offloadasp.search.construct.blocking import Blocking, most_operations
from offloadasp.search.construct.estimate import Estimator
from offloadasp.search.construct.grid import FloatArray, axis_of, grid_of
from offloadasp.search.construct.order import NESTS
from offloadasp.search.size_limits import operations

# Every so many-th number of kernel groups and of channel groups is in the sparse choice.
_STRIDE = 3
# Problems that are looked at together.
_BATCH = 24


def _groups(problem: Problem) -> tuple[int, int]:
    return len(problem.kernel_sizes), len(problem.channel_sizes)


def sparse(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems with every few-th number of kernel groups and of channel groups."""
    counts = zip(*map(_groups, problems), strict=True)
    kernels, channels = (
        {*every[::_STRIDE], every[-1]} for every in (sorted(set(axis)) for axis in counts)
    )
    chosen = [p for p in problems if _groups(p)[0] in kernels and _groups(p)[1] in channels]
    return chosen or list(problems[:_BATCH])


def near(good: Sequence[Problem], problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems whose numbers of groups are the nearest to those of good ones."""
    centres = {tuple(map(math.log, _groups(problem))) for problem in good}

    def distance(problem: Problem) -> float:
        x, y = map(math.log, _groups(problem))
        return min(((x - a) ** 2 + (y - b) ** 2 for a, b in centres), default=0.0)

    return sorted(problems, key=distance)[:_BATCH]


# Kernel groups are gathered in sets if there are so many.
_FINE = 8
# Full steps reach into so many operations beyond those that they do whole.
_REACHED = 2
# Blockings of one decomposition, nest and direction that are kept.
_EACH = 3


def set_counts(problem: Problem) -> Sequence[int]:
    """Return numbers of sets of kernel groups worth trying.

    With one channel group, a set of small kernel groups stays on chip as one large group would,
    but steps can be filled to the last operation.
    """
    kernel_groups, channel_groups = problem.exists.shape
    if channel_groups > 1 or kernel_groups < _FINE:
        return (1,)
    each = {-(-kernel_groups // count) for count in range(1, kernel_groups)}
    return sorted({-(-kernel_groups // size) for size in each})


def blockings(
    problem: Problem,
    sets: Sequence[int] = (1,),
    sizes: int = 0,
    *,
    full: bool = False,
    steps: float = math.inf,
) -> Iterator[tuple[float, Blocking]]:
    """Yield the most promising blockings of one decomposition with their estimates.

    Parameters
    ----------
    sets
        Numbers of sets of kernel groups.
    sizes
        Of so many step sizes the best ones are among them, for each nest and direction.
    full
        Whether operations are to be split later so that every step is full.
    steps
        How many are wanted at most; where not even the largest ones are as few, any number.
    """
    most = most_operations(problem) + (_REACHED if full else 0)
    if most < 1 or problem.kernel_bytes.max() > problem.memory:
        return
    least = min(most, operations(problem) / steps)
    axes = axis_of(problem, 0), axis_of(problem, 1)
    grids = {
        transposed: grid_of(axes[transposed], axes[1 - transposed], most, only=full)
        for transposed in ((False, True) if not _square(problem) else (False,))
    }
    for nest in _nests(problem):
        if _least_sums(problem, nest) > problem.memory:
            continue
        for transposed, grid in grids.items():
            # Other nests than this one say the same with and without sets.
            for count in sets if nest == "cnq" else (1,):
                estimator = Estimator(problem, nest, count, transposed, grid, full)
                costs = estimator.costs()
                if least > 1:
                    costs = np.where(grid.size < least, np.inf, costs)
                yield from _best(estimator, costs, sizes)


def _least_sums(problem: Problem, nest: str) -> int:
    """Bytes of partial sums that a nest keeps on chip at least."""
    if problem.exists.depth.max() == 1:
        return 0
    outer = nest[: nest.index("q")]
    kernels = problem.partial_bytes.max() if "n" in outer else problem.partial_bytes.sum()
    return int(kernels) * (1 if "c" in outer else problem.positions)


def _square(problem: Problem) -> bool:
    rows, columns = problem.reads
    tile = problem.decomposition.tile
    return tile[0] == tile[1] and rows.same(columns)


def _nests(problem: Problem) -> Iterator[str]:
    """Yield the nests that differ for a problem: loops that go round once say nothing."""
    kernel_groups, channel_groups = problem.exists.shape
    seen = set()
    for nest in NESTS:
        kind = "".join(
            loop
            for loop in nest
            if loop == "c" or {"n": kernel_groups, "q": channel_groups}[loop] > 1
        )
        if kind not in seen:
            seen.add(kind)
            yield nest


def _best(estimator: Estimator, costs: FloatArray, sizes: int) -> Iterator[tuple[float, Blocking]]:
    """Yield the best of a grid, of some step sizes, and the best that baselines can follow."""
    grid = estimator.grid
    flat = costs.ravel()
    few = min(_EACH, len(flat))
    chosen = np.argpartition(flat, few - 1)[:few].tolist()
    by_size = costs.reshape(-1, costs.shape[2])
    best = np.argsort(by_size.min(axis=0), kind="stable")[:sizes]
    chosen += (by_size[:, best].argmin(axis=0) * costs.shape[2] + best).tolist()
    if not estimator.transposed:
        straight = np.where(
            np.arange(costs.shape[1])[None, :, None] == costs.shape[1] - 1, costs, np.inf
        )
        chosen.append(int(straight.argmin()))
    for k in dict.fromkeys(chosen):
        if np.isfinite(flat[k]):
            lines, width, cells, size, aligned = (
                int(np.broadcast_to(x, costs.shape).flat[k])
                for x in (grid.lines, grid.width, grid.cells, grid.size, grid.aligned)
            )
            across = estimator.problem.tile_grid[0 if estimator.transposed else 1]
            yield (
                float(flat[k]),
                Blocking(
                    estimator.problem,
                    estimator.nest,
                    estimator.sets,
                    -(-across // width),
                    estimator.transposed,
                    lines,
                    cells,
                    size,
                    bool(aligned),
                ),
            )
