"""Which of many decompositions to look at: a sparse choice first, then those near good ones."""

import math
from collections.abc import Sequence

from offloadasp.model.problem import Problem

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
