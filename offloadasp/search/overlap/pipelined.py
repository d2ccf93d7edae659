"""A serial plan pipelined: its compute actions stay, its transfers move beside them.

Between compute actions k and k + 1 a serial plan writes what k completed, and loads what k + 1
needs. Here that is written beside k + 1, and loaded beside k, or beside earlier actions: as late as
the time of each action has room for it, and as early as that takes. So loads are spread until they
hide. Where the memory has no room beside k, a step of its own between k and k + 1 loads or writes.

Times here are integers: 4k beside action k, 4k + 1 after it to write, 4k + 2 to load. Steps that
nothing uses do not exist. The order of the loads is that of the actions that need them.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from offloadasp.base.arrays import BoolArray, IntArray
from offloadasp.model.plan import Plan, renumbered, steps_in
from offloadasp.model.problem import Problem
from offloadasp.search.overlap.split import split_in_three

_BESIDE, _WRITE, _LOAD = 0, 1, 2
# Shares of a load that are hidden at least where it is placed beside an action, and whether outputs
# may be written later than right away.
_WAYS = ((Fraction(1, 2), False), (Fraction(0), False), (Fraction(1), True))
_LOADS = ("load_pixels", "load_kernels", "load_partial_sums")
_WRITES = ("write_outputs", "write_partial_sums")


def pipelined(plan: Plan, problem: Problem) -> Plan:
    """Return a serial plan with its transfers beside its compute actions.

    Parameters
    ----------
    plan
        Serial and thrifty: a block is loaded by the step that uses it.
    problem
        With overlap. Its capacity may be larger than what the plan was made for.
    """
    made = [_Pipeline(plan, problem, hidden, late=late).run() for hidden, late in _WAYS]
    fitting = [one for one in made if one.counts.peak <= problem.capacity]
    best = min(fitting, key=lambda one: one.cost, default=None)
    if best is None or best.duration > _least_apart(best):
        best = min([split_in_three(plan, problem), *fitting], key=lambda one: one.cost)
    return best


def _least_apart(plan: Plan) -> Fraction:
    """Return what the actions of a plan take at least where nothing is beside a compute action."""
    problem, counts = plan.problem, plan.counts
    rates = problem.accelerator
    compute = rates.compute_cycles * counts.actions + rates.mac_cycles * problem.total_macs
    load, write = rates.load_cycles * counts.loaded, rates.write_cycles * counts.written
    return compute + problem.semantics.longest_transfer(load, write)


@dataclass
class _Items:
    """Transfers of one kind, by the action before which a load, or after which a write, must be."""

    action: IntArray
    size: IntArray
    time: IntArray  # chosen


class _Pipeline:
    """One way to choose the times.

    Attributes
    ----------
    hidden
        The share of a load that an action hides at least, if the load is beside it: nothing hides
        more where all lanes of transfers are busy, all of it where the memory has room.
    late
        Whether outputs wait on chip until the lanes have time to write them.
    """

    def __init__(self, plan: Plan, problem: Problem, hidden: Fraction, *, late: bool) -> None:
        self.plan, self.problem, self.hidden, self.late = plan, problem, hidden, late
        self.computing = np.unique(plan.compute[:, 0])
        self.last = len(self.computing)
        rates = problem.accelerator
        _, _, macs = plan.lanes()
        each = [rates.compute_time(int(work)) for work in macs[self.computing - 1]]
        self.time = [Fraction(0), *each]
        sizes = {
            "load_pixels": problem.pixel_bytes[plan.load_pixels[:, 1]],
            "load_kernels": problem.kernel_bytes[tuple(plan.load_kernels.T[1:])],
            "load_partial_sums": problem.partial_bytes[plan.load_partial_sums[:, 1]],
            "write_outputs": problem.output_bytes[plan.write_outputs[:, 1]],
            "write_partial_sums": problem.partial_bytes[plan.write_partial_sums[:, 1]],
        }
        self.items = {}
        for name in _LOADS:
            action = self._at_or_after(steps_in(plan, name))
            self.items[name] = _Items(action, sizes[name], np.zeros_like(action))
        for name in _WRITES:
            action = self._before(steps_in(plan, name))
            self.items[name] = _Items(action, sizes[name], np.zeros_like(action))

    def _at_or_after(self, steps: IntArray) -> IntArray:
        """Return the number of the first action in a step or after it."""
        found: IntArray = np.searchsorted(self.computing, steps) + 1
        return np.minimum(found, self.last)

    def _before(self, steps: IntArray) -> IntArray:
        """Return the number of the last action before a step."""
        found: IntArray = np.searchsorted(self.computing, steps)
        return np.maximum(found, 1)

    def run(self) -> Plan:
        """Choose the time of every action of the plan."""
        held = self._held()
        if self.late:
            self._spread_writes(held)
        else:
            self._place_writes(held)
        self._place_loads(held)
        times = {name: self.items[name].time for name in (*_LOADS, *_WRITES)}
        times["compute"] = 4 * self._at_or_after(steps_in(self.plan, "compute"))
        own = np.unique(np.concatenate([times[name] for name in (*_LOADS, *_WRITES)]))
        plan = self.plan
        for kind in ("pixels", "kernels"):
            load, free = f"load_{kind}", f"free_{kind}"
            last_use = self._before(steps_in(plan, free))
            times[free] = self._freed(last_use, own)
            # What would come back no later than it leaves stays.
            again, before = _comes_again(getattr(plan, load), getattr(plan, free))
            stays = times[load][again] <= times[free][before]
            kept = {load: again[stays], free: before[stays]}
            plan = replace(plan, **{n: np.delete(getattr(plan, n), kept[n], axis=0) for n in kept})
            times |= {name: np.delete(times[name], kept[name]) for name in kept}
        return renumbered(plan, self.problem, times)

    def _freed(self, action: IntArray, own: IntArray) -> IntArray:
        """Return the first time after actions at which there is a step."""
        at = np.where(np.isin(4 * action + _LOAD, own), 4 * action + _LOAD, 4 * action + 4)
        at = np.where(np.isin(4 * action + _WRITE, own), 4 * action + _WRITE, at)
        return np.where(action == self.last, 4 * action + _WRITE, at)

    def _held(self) -> IntArray:
        """Return the bytes that each action needs on chip, or that stay for later ones: by action.

        What was loaded for later actions, and what is written, is left out.
        """
        problem, plan = self.problem, self.plan
        change = np.zeros(self.last + 3, dtype=np.int64)
        for name, table in (("load_pixels", problem.pixel_bytes), ("load_kernels", None)):
            items = self.items[name]
            np.add.at(change, items.action, items.size)
            rows = getattr(plan, name.replace("load", "free"))
            sizes = (
                table[rows[:, 1]] if table is not None else problem.kernel_bytes[tuple(rows.T[1:])]
            )
            np.add.at(change, self._before(rows[:, 0]) + 1, -sizes)
        for name, sign in (("load_partial_sums", 1), ("write_partial_sums", -1)):
            items = self.items[name]
            np.add.at(change, items.action + (sign < 0), sign * items.size)
        first, final, n = self._outputs()
        partial, complete = problem.partial_bytes[n], problem.output_bytes[n]
        outputs = problem.semantics.occupied_by_outputs(first, final, partial, complete, self.last)
        held: IntArray = np.cumsum(change)[: self.last + 1] + outputs
        return held

    def _outputs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return the first and last action and the kernel group of every output."""
        step, n, _, i, j = self.plan.compute.T
        action = self._at_or_after(step)
        block = (n * self.problem.out_height + i) * self.problem.out_width + j
        total = len(self.problem.kernel_sizes) * self.problem.positions
        first = np.full(total, self.last, dtype=np.int64)
        final = np.zeros(total, dtype=np.int64)
        np.minimum.at(first, block, action)
        np.maximum.at(final, block, action)
        return first, final, np.arange(total) // self.problem.positions

    def _place_writes(self, held: IntArray) -> None:
        """Write beside the next action, or right before it where the memory asks for that."""
        leaving = np.zeros(self.last + 2, dtype=np.int64)
        for name in _WRITES:
            np.add.at(leaving, self.items[name].action + 1, self.items[name].size)
        room = self.problem.capacity - np.append(held, 0)
        apart: BoolArray = leaving > room
        apart[self.last + 1] = True
        for name in _WRITES:
            after = self.items[name].action + 1
            self.items[name].time = np.where(apart[after], 4 * after - 4 + _WRITE, 4 * after)
        leaving[apart] = 0
        held += leaving[: self.last + 1]
        self.written = leaving

    def _spread_writes(self, held: IntArray) -> None:
        """Write outputs, first in, first out, in the time that loads leave beside each action.

        Outputs that wait take room, at most half of what there is. Any more are written beside the
        action, or right before it where they do not fit beside it. Partial sums do not wait.
        """
        spills, items = self.items["write_partial_sums"], self.items["write_outputs"]
        spills.time = 4 * spills.action + _WRITE
        room = self.problem.capacity - held
        most = self._writable()
        order = np.argsort(items.action, kind="stable")
        total = np.append(0, np.cumsum(items.size[order]))
        tails = np.searchsorted(items.action[order], np.arange(self.last + 1), side="left")
        time = np.full(len(order), 4 * self.last + _WRITE)
        self.written = np.zeros(self.last + 2, dtype=np.int64)
        head = 0
        for k in range(1, self.last + 1):
            tail = int(tails[k])
            fitting = int(np.searchsorted(total, total[tail] - max(0, int(room[k])), side="left"))
            if fitting > head:
                time[head:fitting] = 4 * k - 4 + _WRITE
                head = fitting
            waiting = int(total[tail] - total[head])
            least = max(most[k], waiting - max(0, int(room[k])) // 2)
            stop = int(np.searchsorted(total, total[head] + least, side="right")) - 1
            stop = min(tail, max(stop, head))
            if stop == head < tail and int(total[head + 1] - total[head]) > most[k] > 0:
                stop = head + 1
            time[head:stop] = 4 * k
            self.written[k] = total[stop] - total[head]
            held[k] += waiting
            head = stop
        items.time = np.empty_like(time)
        items.time[order] = time

    def _writable(self) -> list[int]:
        """Return the bytes that can be written beside each action in the time that loads leave."""
        rates = self.problem.accelerator
        if rates.write_cycles == 0:
            return [int(self.problem.output_total)] * (self.last + 1)
        share = Fraction(1)
        if self.problem.semantics.name == "dma":
            loads = rates.load_cycles * sum(int(self.items[name].size.sum()) for name in _LOADS)
            writes = rates.write_cycles * int(self.items["write_outputs"].size.sum())
            share = max(1 - loads / max(sum(self.time), loads + writes, Fraction(1)), Fraction(0))
        return [int(share * each / rates.write_cycles) for each in self.time]

    def _place_loads(self, held: IntArray) -> None:
        """Load beside actions as late as the lanes have time, and early enough to hide."""
        room = self.problem.capacity - held
        room[0] = self.problem.capacity
        self._place_reloads(room)
        names = ("load_pixels", "load_kernels")
        action = np.concatenate([self.items[name].action for name in names])
        size = np.concatenate([self.items[name].size for name in names])
        order = np.lexsort((-size, -action))
        action, size = action[order], size[order]
        time = np.empty_like(action)
        # What does not fit beside the action before gets a step of its own.
        starts = np.searchsorted(-action, -action, side="left")
        before = np.cumsum(size)
        so_far = before - np.append(0, before)[starts]
        fits = so_far <= room[action - 1]
        time[~fits] = 4 * (action[~fits] - 1) + _LOAD
        time[fits] = self._spread(action[fits], size[fits], room)
        back = np.empty_like(time)
        back[order] = time
        split = len(self.items["load_pixels"].action)
        self.items["load_pixels"].time, self.items["load_kernels"].time = back[:split], back[split:]

    def _place_reloads(self, room: IntArray) -> None:
        """Reload partial sums beside the action before, or right before the one that needs them."""
        items = self.items["load_partial_sums"]
        self.reloaded = np.zeros(self.last + 2, dtype=np.int64)
        items.time = 4 * (items.action - 1) + _LOAD
        if not len(items.action):
            return
        spilled = self._spilled_before()
        for k in np.unique(items.action):
            here = items.action == k
            # A spill beside action k - 1 or later is in main memory only after it.
            early = here & (spilled < 4 * (k - 1))
            total = int(items.size[early].sum())
            if k > 1 and total <= room[k - 1]:
                items.time[early] = 4 * (k - 1)
                room[k - 1] -= total
                self.reloaded[k - 1] += total

    def _spilled_before(self) -> IntArray:
        """Return when each reloaded partial sum was spilled."""
        spills: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        rows = self.plan.write_partial_sums
        for row, time in zip(rows.tolist(), self.items["write_partial_sums"].time, strict=True):
            spills.setdefault(tuple(row[1:]), []).append((row[0], int(time)))
        return np.array(
            [
                max(time for step, time in spills[tuple(row[1:])] if step <= row[0])
                for row in self.plan.load_partial_sums.tolist()
            ],
            dtype=np.int64,
        )

    def _spread(self, action: IntArray, size: IntArray, room: IntArray) -> IntArray:
        """Return the time of each load; they come with the latest action first.

        Going back from the last action, the loads that may be beside action k are a queue. Beside k
        as many are placed as its lane has time for; the others go to earlier actions, as far as the
        memory there holds them.
        """
        time = np.zeros_like(action)
        total = np.append(0, np.cumsum(size))
        end = np.searchsorted(-action, -np.arange(self.last + 2), side="right")
        head = 0
        for k in range(self.last - 1, 0, -1):
            tail = int(end[k + 1])
            if head < tail:
                taken = self._hidden(k, total, size, head, tail)
                # What is left must fit beside the action before, with what that one has to load.
                own = int(total[end[k]] - total[tail])
                left = max(0, int(room[k - 1]) - own)
                least = int(np.searchsorted(total, total[tail] - left, side="left"))
                stop = min(tail, max(head + taken, least))
                time[head:stop] = 4 * k
                head = stop
        time[head:] = _LOAD
        return time

    def _hidden(self, k: int, total: IntArray, size: IntArray, head: int, tail: int) -> int:
        """Return how many loads from the head of the queue hide beside an action."""
        rates = self.problem.accelerator
        if rates.load_cycles == 0:
            return tail - head
        budget = self.time[k] - rates.load_cycles * int(self.reloaded[k])
        if self.problem.semantics.name == "dma":
            budget -= rates.write_cycles * int(self.written[k])
        most = max(0, int(budget / rates.load_cycles))
        count = int(np.searchsorted(total, total[head] + most, side="right")) - 1 - head
        if count < tail - head and most > 0:
            # A load that no action hides is begun where there is time for a part of it.
            over = int(total[head + count + 1] - total[head]) - most
            whole = int(self.time[k] / rates.load_cycles)
            count += over <= (1 - self.hidden) * int(size[head + count]) or (
                size[head + count] > whole and not count
            )
        return min(count, tail - head)


def _comes_again(loads: IntArray, frees: IntArray) -> tuple[IntArray, IntArray]:
    """Return the rows of loads of blocks that were on chip before, and of the frees before them.

    A block is loaded and freed in turn.
    """
    load, free = np.lexsort((loads[:, 0], *loads.T[1:])), np.lexsort((frees[:, 0], *frees.T[1:]))
    same = (loads[load][1:, 1:] == loads[load][:-1, 1:]).all(axis=1)
    again = np.flatnonzero(same) + 1
    return load[again], free[again - 1]
