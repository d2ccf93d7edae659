"""The memories at which a search with a budget runs, so that more memory is never worse.

A heuristic may do worse with more memory. Under a budget everything that is not monotone by itself
runs at fixed memories, the same for every capacity, and its plans count at every capacity they fit.
"""

from offloadasp.model.problem import Problem, granularity

_DENSE = 32
_GROWTH = 1.35


def rungs(problem: Problem, least: int) -> tuple[list[int], bool]:
    """Return the memories, ascending, at or below the problem's own, and whether they are all.

    Parameters
    ----------
    problem
        Its blocks' sizes set the distance of the rungs; its memory only cuts the ladder off.
    least
        The least memory with which a strategy exists, in bytes.

    Returns
    -------
    rungs
        Bytes. If the flag is set, the last one is worth as much as the problem's memory.
    """
    unit = granularity(problem)
    lowest, highest = -(-least // unit) * unit, problem.all_bytes // unit * unit
    if (highest - lowest) // unit < _DENSE:
        ladder = list(range(lowest, highest + 1, unit))
        return [memory for memory in ladder if memory <= problem.memory], True
    ladder, gap = [lowest], float(unit)
    while ladder[-1] < highest:
        ladder.append(min(highest, ladder[-1] + int(gap) // unit * unit))
        gap *= _GROWTH
    return [memory for memory in ladder if memory <= problem.memory], False
