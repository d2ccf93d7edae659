"""The size relaxation: forget where operations are, keep how many each step computes.

Derivation: docs/bounds.md, "Loads and steps together". For a fixed number of steps, a dynamic
program over the operations computed so far, without states that are no better than others in any
respect, and without those whose bound is at least what is to be proved.
"""

from dataclasses import dataclass

import numpy as np

from offloadasp.base.arrays import IntArray

# Beyond so many operations, or states of the dynamic program, it proves nothing.
MOST_OPERATIONS = 1024
_MOST_STATES = 4096
_BEAM = 4
_FAR = 2**62


@dataclass(frozen=True)
class Windows:
    """What every strategy obeys whose steps compute so many operations each.

    Attributes
    ----------
    need
        Least bytes of inputs of n operations, for n from 0: shape (operations + 1,).
    capacity
        Most bytes of such blocks on chip during a step of n operations, for n from 1 to the most
        that a step computes: shape (operations in a step,). Does not grow.
    """

    need: IntArray
    capacity: tuple[int, ...]

    @property
    def group(self) -> int:
        """Most operations in a step."""
        return len(self.capacity)

    @property
    def operations(self) -> int:
        """Number of operations."""
        return len(self.need) - 1


@dataclass(frozen=True)
class _State:
    """Some steps, all of one number of operations done.

    Attributes
    ----------
    loads
        Least bytes loaded so far.
    ahead
        Least bytes loaded until s operations are done, by s, at least ``loads``; of use from the
        number of those done on.
    """

    loads: int
    ahead: IntArray


def least_loads(windows: Windows, steps: int, target: int = _FAR) -> int:
    """Return the least bytes loaded in so many steps of any sizes, or ``target`` if that is less.

    Returns 0, which proves nothing, if there are too many operations or states.

    Parameters
    ----------
    steps
        Steps that compute; each computes one operation at least.
    target
        Bytes that are enough. The fewer, the quicker.
    """
    if windows.operations > MOST_OPERATIONS:
        return 0
    later = _later_loads(windows)
    if target == _FAR:
        some = _search(windows, later, steps, _FAR, _BEAM)
        target = _FAR if some is None else some
    found = _search(windows, later, steps, target, None)
    return 0 if found is None else found


def _search(
    windows: Windows, later: IntArray, steps: int, target: int, beam: int | None
) -> int | None:
    """Search completely, or with a beam keep only so many states of each number of operations."""
    total, group = windows.operations, windows.group
    states = {0: [_State(0, windows.need)]}
    seen = 0
    for left in range(steps - 1, -1, -1):
        grown: dict[int, list[_State]] = {}
        for done, members in states.items():
            low, high = max(1, total - done - group * left), min(group, total - done - left)
            for state in members:
                for size in range(low, high + 1):
                    after = _step(windows, state, done, size)
                    if int((after.ahead + later)[done + size :].max()) < target:
                        grown.setdefault(done + size, []).append(after)
            seen += len(members) * max(0, high - low + 1)
            if seen > _MOST_STATES:
                return None
        states = {done: _best(members, done)[:beam] for done, members in grown.items()}
    return min([target, *(state.loads for state in states.get(total, []))])


def _step(windows: Windows, state: _State, done: int, size: int) -> _State:
    """Add a step of so many operations; windows from it on need what is not on chip in it."""
    after = done + size
    loads = int(state.ahead[after])
    ahead = np.maximum(state.ahead, loads)
    reach = windows.operations - done
    demand = loads + windows.need[size + 1 : reach + 1] - windows.capacity[size - 1]
    ahead[after + 1 :] = np.maximum(ahead[after + 1 :], demand)
    return _State(loads, ahead)


def _best(states: list[_State], done: int) -> list[_State]:
    """Leave out states that load no less than another one, so far and ahead."""
    kept: list[_State] = []
    for state in sorted(states, key=lambda s: (int(s.ahead[-1]), int(s.ahead[done:].sum()))):
        if not any((other.ahead[done:] <= state.ahead[done:]).all() for other in kept):
            kept.append(state)
    return kept


def _later_loads(windows: Windows) -> IntArray:
    """Bound, by phases, the bytes loaded once s operations are done, by s."""
    total = windows.operations
    gain = np.maximum(0, windows.need[2:] - windows.capacity[0])
    later = np.zeros(total + 1, dtype=np.int64)
    for done in range(total - 1, 0, -1):
        later[done] = (gain[: total - done] + later[done + 1 :]).max()
    return later
