"""Operations packed into full compute actions, in about the order in which they come.

A step takes the first operations as far as they fit. Where room is left, the last ones it took and
some that follow are chosen anew, as a subset-sum problem, so that the step does the most. What is
passed over comes first in the next step, so that no operation waits for long.
"""

import math
from collections.abc import Sequence

# Operations that a step took last and may give back, for others that fill it better.
_GIVEN_BACK = 12


def packed(sizes: Sequence[int], limit: int, ahead: int) -> list[list[int]]:
    """Pack operations into steps.

    Parameters
    ----------
    sizes
        Multiply-accumulates of each operation, in order; none is above the limit.
    limit
        Multiply-accumulates of a step.
    ahead
        How many operations beyond the first one that does not fit are looked at.

    Returns
    -------
    list of list of int
        The operations of each step, as places in the given order, ascending.
    """
    unit = math.gcd(*set(sizes))
    limit, work = limit // unit, [size // unit for size in sizes]
    known: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    steps: list[list[int]] = []
    waiting: list[int] = []
    come = 0
    while waiting or come < len(work):
        done = count = 0
        while True:
            if count == len(waiting):
                if come == len(work):
                    break
                waiting.append(come)
                come += 1
            if done + work[waiting[count]] > limit:
                break
            done += work[waiting[count]]
            count += 1
        if done == limit or count == len(waiting):
            steps.append(waiting[:count])
            waiting = waiting[count:]
            continue
        more = min(max(0, count + ahead - len(waiting)), len(work) - come)
        waiting += range(come, come + more)
        come += more
        # The operation that waited longest is always taken.
        first, last = max(1, count - _GIVEN_BACK), count + ahead
        free = waiting[first:last]
        amounts = tuple([work[k] for k in free])
        room = limit - sum([work[k] for k in waiting[:first]])
        chosen = known.get((room, amounts))
        if chosen is None:
            chosen = known[room, amounts] = fullest(amounts, room)
        steps.append(waiting[:first] + [free[k] for k in chosen])
        taken = set(chosen)
        waiting = [k for at, k in enumerate(free) if at not in taken] + waiting[last:]
    return steps


def fullest(amounts: Sequence[int], room: int) -> list[int]:
    """Choose amounts whose sum is the greatest up to ``room``; of equal choices the earliest.

    Returns
    -------
    list of int
        Their places, ascending.
    """
    mask = (1 << room + 1) - 1
    # Bit s of the k-th entry: some of the amounts from the k-th on add up to s.
    sums = [1]
    for amount in reversed(amounts):
        sums.append((sums[-1] | sums[-1] << amount) & mask)
    sums.reverse()
    left, chosen = sums[0].bit_length() - 1, []
    for k, amount in enumerate(amounts):
        if left >= amount and sums[k + 1] >> left - amount & 1:
            chosen.append(k)
            left -= amount
    return chosen
