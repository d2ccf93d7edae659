"""Transfers beside the compute action: exhaustive search of tiny layers, and random strategies.

The search tries every step that the definition allows from every state, by Dijkstra's algorithm.
Only steps of evident waste are left out: to load what no later operation needs, and to keep such an
input.
"""

import copy
import heapq
import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from typing import Any, Literal

from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.reference import read
from offloadasp.model.strategy import Step, Strategy, steps_of
from offloadasp.search.overlap.split import split_in_three
from tests.engines.exhaustive import Block, bits, game_of
from tests.engines.mutants import SPILL, Json, step
from tests.support.layers import on_accelerator

State = tuple[int, int]  # operations done, blocks on chip


def shortest(problem: Problem) -> Fraction | None:
    """Return the least duration of an overlapped strategy, or None if there is none."""
    return _Overlapped(problem).run()


def _subsets(mask: int) -> Iterator[int]:
    part = mask
    while True:
        yield part
        if not part:
            return
        part = (part - 1) & mask


class _Overlapped:
    """Blocks and sets of operations as bit masks; times as integers, in parts of a cycle."""

    def __init__(self, problem: Problem) -> None:
        game, self.chip = game_of(problem), problem.accelerator
        chip = self.chip
        rates = (chip.load_cycles, chip.write_cycles, chip.compute_cycles, chip.mac_cycles)
        self.parts = lcm(*(rate.denominator for rate in rates))
        self.load, self.write, self.compute, self.mac = (int(rate * self.parts) for rate in rates)
        number = {block: b for b, block in enumerate(game.input_bytes)}
        self.inputs = (1 << len(game.input_bytes)) - 1
        self.sizes = [(size, size) for size in game.input_bytes.values()]
        # A tile's outputs are written one by one.
        places: dict[Block, int] = {}
        for block, (partial, complete) in game.output_bytes.items():
            parts = _positions(problem, block)
            places[block] = sum(1 << len(self.sizes) + part for part in range(parts))
            self.sizes += [(partial // parts, complete // parts)] * parts
        self.outputs = range(len(game.input_bytes), len(self.sizes))
        self.needs = [sum(1 << number[b] for b in one.inputs) for one in game.operations]
        self.output = [places[one.output] for one in game.operations]
        self.macs = [one.macs for one in game.operations]
        self.all = (1 << len(game.operations)) - 1
        self.share = {
            b: sum(1 << o for o, out in enumerate(self.output) if out >> b & 1)
            for b in self.outputs
        }

    def run(self) -> Fraction | None:
        best: dict[State, int] = {(0, 0): 0}
        queue = [(0, (0, 0))]
        while queue:
            cost, state = heapq.heappop(queue)
            if state == (self.all, 0):
                return Fraction(cost, self.parts)
            if cost > best[state]:
                continue
            for more, after in self.steps(*state):
                if after not in best or cost + more < best[after]:
                    best[after] = cost + more
                    heapq.heappush(queue, (cost + more, after))
        return None

    def size(self, b: int, done: int) -> int:
        """Bytes of a block once ``done`` is computed; 0 of an output not begun."""
        partial, complete = self.sizes[b]
        if b not in self.share:
            return complete
        share = self.share[b]
        return 0 if not done & share else partial if share & ~done else complete

    def bytes_of(self, blocks: int, done: int) -> int:
        return sum(self.size(b, done) for b in bits(blocks))

    def needed(self, operations: int) -> int:
        return _union(self.needs[o] for o in bits(operations))

    def begun(self, done: int) -> int:
        return sum(1 << b for b, share in self.share.items() if done & share)

    def complete(self, done: int) -> int:
        return sum(1 << b for b, share in self.share.items() if not share & ~done)

    def groups(self, done: int, chip: int) -> Iterator[int]:
        """Yield what a step may compute with what is on chip before it; nothing, too."""
        lost = self.begun(done) & ~chip
        ready = sum(
            1 << o
            for o in bits(self.all & ~done)
            if not self.needs[o] & ~chip and not self.output[o] & lost
        )
        for group in _subsets(ready):
            if sum(self.macs[o] for o in bits(group)) <= self.chip.macs_per_step:
                yield group

    def steps(self, done: int, chip: int) -> Iterator[tuple[int, State]]:
        for group in self.groups(done, chip):
            after = done | group
            used, touched = self.needed(group), _union(self.output[o] for o in bits(group))
            compute = 0
            if group:
                compute = self.compute + self.mac * sum(self.macs[o] for o in bits(group))
            future = self.needed(self.all & ~after)
            busy = self.bytes_of(used, done) + sum(
                max(self.size(b, done if chip >> b & 1 else 0), self.size(b, after))
                for b in bits(touched)
            )
            loadable = (future | (self.begun(done) & ~self.complete(after))) & ~chip & ~touched
            sizes = [(loads, self.bytes_of(loads, done)) for loads in _subsets(loadable)]
            spare = chip & ~used & ~touched
            useless = spare & self.inputs & ~future
            for leaving in _subsets(spare & ~useless):
                written = self.bytes_of(leaving & ~self.inputs, done)
                kept = spare & ~useless & ~leaving
                room = self.chip.memory - busy - written - self.bytes_of(kept, done)
                if room < 0:
                    continue
                stay = kept | (used & future) | touched
                for loads, loaded in sizes:
                    if loaded <= room and (group or leaving or loads or useless):
                        yield self.cycles(loaded, written, compute), (after, stay | loads)

    def cycles(self, loaded: int, written: int, compute: int) -> int:
        load, write = self.load * loaded, self.write * written
        if self.chip.overlap == "dma":
            return max(compute, load + write)
        assert self.chip.overlap == "duplex"
        return max(compute, load, write)


def _positions(problem: Problem, block: Block) -> int:
    """Output positions of a tile, ``("output", first row, first column, kernel group)``."""
    sides = zip(block[1:3], problem.decomposition.tile, problem.layer.output_shape[1:], strict=True)
    rows, columns = (min(side, total - int(str(first))) for first, side, total in sides)
    return rows * columns


def _union(masks: Iterator[int]) -> int:
    return next(reversed(list(itertools.accumulate(masks, int.__or__, initial=0))))


# --- Random strategies ---


OVERLAPS: tuple[Literal["dma", "duplex"], ...] = ("dma", "duplex")


def overlapping(problem: Problem, overlap: Literal["dma", "duplex"]) -> Problem:
    """The same layer on the same accelerator, with transfers beside the compute action."""
    chip = problem.accelerator.model_copy(update={"overlap": overlap})
    return on_accelerator(problem, chip)


def overlapped(
    strategy: Strategy, plan: Plan, overlap: Literal["dma", "duplex"], seed: int
) -> Strategy:
    """A valid serial strategy split in three, and neighbouring steps joined wherever that is valid.

    The reference says what is valid; the order in which joins are tried is random. Memory is what
    the serial strategy takes, or a little more.
    """
    draw = random.Random(seed)
    problem = overlapping(strategy.problem, overlap)
    more = draw.choice([0, 0, 3, 40])
    chip = problem.accelerator
    problem = on_accelerator(problem, chip.model_copy(update={"memory": chip.memory + more}))
    steps = list(steps_of(split_in_three(plan, problem)))
    made = strategy.model_copy(update={"instance": problem.resolved_instance()})
    for _ in range(2 * len(steps)):
        if len(steps) < 2:
            break
        t = draw.randrange(len(steps) - 1)
        joined = [*steps[:t], _joined(steps[t : t + 2]), *steps[t + 2 :]]
        if read(made.model_copy(update={"steps": tuple(joined)})).step is None:
            steps = joined
    made = made.model_copy(update={"steps": tuple(steps)})
    return made.model_copy(update={"duration": read(made).duration})


def _joined(steps: Sequence[Step]) -> Step:
    first, second = (step.model_dump(mode="json") for step in steps)
    return Step.model_validate({key: _both(first[key], second[key]) for key in first})


def _both(first: Any, second: Any) -> Any:
    if isinstance(first, dict):
        return {key: _both(first[key], second[key]) for key in first}
    return first + second


# --- Strategies made by hand ---

PIXELS: Any = {"pixels": [[0, 0, 2, 0, 2]], "kernels": [[0, 0]]}


def tiny_beside(steps: list[Json], memory: int, overlap: str = "dma", **more: Any) -> Strategy:
    """tiny-2x3 of docs/model.md; nobody has to know its duration."""
    chip = {"memory": memory, "load_cycles": 1, "write_cycles": 1, "compute_cycles": 5}
    data = {
        "instance": {
            "name": "hand-made",
            "layer": {"input": [1, 2, 3], "kernels": 1, "kernel_shape": [2, 2]},
            "accelerator": {**chip, "macs_per_step": 4, "overlap": overlap, **more},
            "decomposition": {"kernel_groups": [[0, 1]], "channel_groups": [[0, 1]]},
        },
        "duration": 0,
        "lower_bound": 0,
        "status": "feasible",
        "steps": steps,
    }
    return Strategy.model_validate(data)


# Loads the second patch's column beside the first compute action, and writes beside the second.
BESIDE = [
    step(load=PIXELS),
    step(load={"pixels": [[0, 0, 2, 2, 3]]}, compute=[[0, 0, 0, 1, 0, 1]]),
    step(
        free={"pixels": [[0, 0, 2, 0, 1]]},
        write={"outputs": [[0, 0, 1, 0, 1]]},
        compute=[[0, 0, 0, 1, 1, 2]],
    ),
    step(
        free={"pixels": [[0, 0, 2, 1, 3]], "kernels": [[0, 0]]},
        write={"outputs": [[0, 0, 1, 1, 2]]},
    ),
]


def reloading(early: str = "") -> Strategy:
    """Two channels of two positions; the left partial sum is spilled, and comes back later.

    ``early``: it is loaded in the step that creates it (create) or spills it (load), or used in the
    step that loads it (compute).
    """
    made = copy.deepcopy(SPILL)
    made["instance"]["accelerator"] |= {"overlap": "dma", "memory": 40}
    first, second, *_ = made["steps"]
    back: Json = {"partial_sums": [[0, 0, 1, 0, 1]]}
    others: Json = {"pixels": [[1, 0, 1, 0, 2]], "kernels": [[0, 1]]}
    compute = step(compute=[[0, 1, 0, 1, 0, 2]])
    spill = step(free=second["free"], write=second["write"], load=others)
    ending = step(
        free={"pixels": [[1, 0, 1, 0, 2]], "kernels": [[0, 1]]},
        write={"outputs": [[0, 0, 1, 0, 2]]},
    )
    steps = [step(load=first["load"]), step(compute=first["compute"]), spill]
    if early == "create":
        steps[1]["load"] = back
    elif early == "load":
        spill["load"] = others | back
    elif early == "compute":
        compute["load"] = back
    else:
        steps.append(step(load=back))
    return Strategy.model_validate(made | {"steps": [*steps, compute, ending]})
