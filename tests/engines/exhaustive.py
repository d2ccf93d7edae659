"""An exact search over all strategies of a tiny layer: the tests' oracle for optima and bounds.

Objectives are the duration, the traffic, the energy and the peak of memory, alone or one after the
other.

Independent of clingo and of `offloadasp.model.problem`'s arrays: geometry is read from the layer's
attributes by plain loops. Up to about 8 operations and 16 input blocks.

A* over states (operations done, blocks on chip after the compute action). Output blocks that are
complete are not part of a state: their write is charged when they are completed. One move is one
compute action with all that goes before it. What is left out loses no optimum:

- *Loads wait.* A load moved to the step of the block's first use after it costs the same and
  takes no more memory; a block loaded and never used need not be loaded. So a step loads what its
  operations need and nothing else, and no step is there only to load.
- *Complete outputs leave at once.* Written in the step right after the one that completed them,
  before its loads, they cost the same and free memory. Only the last of these writes needs a
  step without compute action; it is free but for its bytes.
- *Drops wait.* A block that is on chip, is needed again and is not needed now may be kept as
  long as there is room: dropped later it costs the same (nothing, or for a partial sum the bytes
  written now and loaded again), and kept until its use it costs nothing. So a step drops blocks
  only for lack of room, a set of which no member could stay. Blocks without further use leave.
- *Without compute cost, one output block at a time.* A step can then be split into steps on one
  output block each, in any order: blocks on chip during one of them were there during the whole,
  and outputs completed earlier are gone. Steps on one output block are not split: complete in one
  step it never holds partial sums.

Several costs are one integer: each earlier one counts so many times the next that it decides. None
of the above makes any of them larger. The least peak at which costs are reached is the least memory
with which they still are.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import lcm

from offloadasp.model.problem import Problem
from tests.support.layers import with_memory

Block = tuple[object, ...]


@dataclass(frozen=True)
class Operation:
    """One operation: its input blocks, its output block and its multiply-accumulates."""

    inputs: frozenset[Block]
    output: Block
    macs: int


@dataclass(frozen=True)
class Game:
    """All operations, bytes of input blocks, and (partial, complete) bytes of output blocks."""

    operations: tuple[Operation, ...]
    input_bytes: dict[Block, int]
    output_bytes: dict[Block, tuple[int, int]]


def game_of(problem: Problem) -> Game:
    """Read operations and blocks from the layer and its decomposition."""
    layer, precision = problem.layer, problem.precision
    (_, height, width), (kh, kw) = layer.input, layer.kernel_shape
    (sh, sw), (dh, dw), (top, left, bottom, right) = layer.strides, layer.dilations, layer.pads
    out_height = (height + top + bottom - dh * (kh - 1) - 1) // sh + 1
    out_width = (width + left + right - dw * (kw - 1) - 1) // sw + 1
    tile_height, tile_width = problem.decomposition.tile
    per_channel, per_kernel = layer.input[0] // layer.group, layer.kernels // layer.group
    operations: list[Operation] = []
    input_bytes: dict[Block, int] = {}
    output_bytes: dict[Block, tuple[int, int]] = {}
    for n, (k0, k1) in enumerate(problem.decomposition.kernel_groups):
        seen_channels = False
        for q, (c0, c1) in enumerate(problem.decomposition.channel_groups):
            pairs = sum(
                c // per_channel == k // per_kernel for k in range(k0, k1) for c in range(c0, c1)
            )
            if not pairs:
                continue
            kernel: Block = ("kernel", n, q)
            input_bytes[kernel] = pairs * kh * kw * precision.weight
            if layer.bias and not seen_channels:
                input_bytes[kernel] += (k1 - k0) * precision.partial_sum
            seen_channels = True
            for i0, j0 in itertools.product(
                range(0, out_height, tile_height), range(0, out_width, tile_width)
            ):
                positions = [
                    (i, j)
                    for i in range(i0, min(i0 + tile_height, out_height))
                    for j in range(j0, min(j0 + tile_width, out_width))
                ]
                needs = {kernel}
                for (i, j), a, b in itertools.product(positions, range(kh), range(kw)):
                    r, c = i * sh - top + a * dh, j * sw - left + b * dw
                    if 0 <= r < height and 0 <= c < width:
                        needs.add(("pixel", r, c, q))
                        input_bytes["pixel", r, c, q] = (c1 - c0) * precision.input
                output: Block = ("output", i0, j0, n)
                kernels = (k1 - k0) * len(positions)
                output_bytes[output] = (
                    kernels * precision.partial_sum,
                    kernels * precision.output,
                )
                macs = pairs * kh * kw * len(positions)
                operations.append(Operation(frozenset(needs), output, macs))
    return Game(tuple(operations), input_bytes, output_bytes)


def optimal_duration(problem: Problem) -> Fraction | None:
    """Return the least duration of any strategy, in cycles, or None if there is none."""
    found = _least(problem, ["duration"])
    return None if found is None else found[0]


def optimum(problem: Problem, names: Sequence[str]) -> tuple[Fraction, ...] | None:
    """Return the values of the lexicographic optimum of objectives, or None if there is none."""
    memory, linear = problem.accelerator.memory, list[str]()
    values: dict[str, Fraction] = {}
    for name in names:
        if name != "peak_memory":
            linear.append(name)
        wanted = _least(with_memory(problem, memory), linear)
        if wanted is None:
            return None
        if name == "peak_memory":
            memory = least_capacity(problem, linear, wanted)
            values[name] = Fraction(memory)
        else:
            values[name] = wanted[-1]
    return tuple(values[name] for name in names)


def least_capacity(problem: Problem, names: Sequence[str], most: Sequence[Fraction]) -> int:
    """Return the least memory with which linear objectives are lexicographically at most values.

    With the problem's own memory they must be.
    """
    low, high = 0, problem.accelerator.memory
    while high - low > 1:
        middle = (low + high) // 2
        found = _least(with_memory(problem, middle), names)
        if found is not None and found <= tuple(most):
            high = middle
        else:
            low = middle
    return high


def _least(problem: Problem, names: Sequence[str]) -> tuple[Fraction, ...] | None:
    """Return the lexicographic minimum of linear objectives, or None."""
    charges = [charges_of(problem, name) for name in names]
    found = _Search(game_of(problem), problem, [part[:3] for part in charges]).run()
    if found is None:
        return None
    return tuple(value + part[3] for value, part in zip(found, charges, strict=True))


def charges_of(problem: Problem, name: str) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Return what a byte loaded, a byte written, a compute action and the whole layer cost."""
    chip = problem.accelerator
    cycles = (chip.load_cycles, chip.write_cycles, chip.compute_cycles)
    macs = sum(operation.macs for operation in game_of(problem).operations)
    if name == "duration":
        return (*cycles, chip.mac_cycles * macs)
    if name == "traffic":
        return Fraction(1), Fraction(1), Fraction(0), Fraction(0)
    assert name == "energy"
    table = problem.instance.energy
    assert table is not None
    load, write, compute = (
        each + table.static * time
        for each, time in zip((table.load, table.write, table.compute), cycles, strict=True)
    )
    return load, write, compute, (table.mac + table.static * chip.mac_cycles) * macs


# Far above any cost of a tiny layer.
_DECIDES = 2**100


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class _Search:
    """Blocks and sets of operations as bit masks; rates scaled to integers, and joined."""

    def __init__(
        self, game: Game, problem: Problem, rates: Sequence[tuple[Fraction, Fraction, Fraction]]
    ):
        self.scales = [lcm(*(rate.denominator for rate in part)) for part in rates]
        scaled = [
            [int(rate * scale) for rate in part]
            for part, scale in zip(rates, self.scales, strict=True)
        ]
        self.load, self.write, self.compute = (
            sum(part[k] * int(_DECIDES**place) for place, part in enumerate(reversed(scaled)))
            for k in range(3)
        )
        chip = problem.accelerator
        self.memory, self.macs_per_step = chip.memory, chip.macs_per_step

        blocks = [*game.input_bytes, *game.output_bytes]
        number = {block: b for b, block in enumerate(blocks)}
        self.outputs = range(len(game.input_bytes), len(blocks))
        self.size = [*game.input_bytes.values(), *(p for p, _ in game.output_bytes.values())]
        self.complete_size = dict(
            zip(self.outputs, (c for _, c in game.output_bytes.values()), strict=True)
        )
        self.needs = [sum(1 << number[b] for b in op.inputs) for op in game.operations]
        self.output_of = [number[op.output] for op in game.operations]
        self.macs = [op.macs for op in game.operations]
        self.all = (1 << len(game.operations)) - 1
        self.sharing = {
            b: sum(1 << o for o, out in enumerate(self.output_of) if out == b) for b in self.outputs
        }
        self.input_mask = (1 << self.outputs.start) - 1
        self.bytes_of = cache(self._bytes_of)
        self.needed_by = cache(self._needed_by)
        self.alike = cache(self._alike)

    def _bytes_of(self, blocks: int) -> int:
        return sum(self.size[b] for b in bits(blocks))

    def _needed_by(self, operations: int) -> int:
        blocks = 0
        for o in bits(operations):
            blocks |= self.needs[o]
        return blocks

    def _alike(self, left: int) -> dict[int, int]:
        """Map each block that a remaining operation needs to all blocks alike."""
        found: defaultdict[tuple[int, tuple[int, ...]], int] = defaultdict(int)
        users = {
            b: (self.size[b], tuple(o for o in bits(left) if self.needs[o] >> b & 1))
            for b in bits(self.needed_by(left))
        }
        for b, kind in users.items():
            found[kind] |= 1 << b
        return {b: found[kind] for b, kind in users.items()}

    def first_of_each(self, left: int, chip: int) -> int:
        """Replace the input blocks on chip by the first ones alike."""
        for kind in set(self.alike(left).values()):
            held = kind & chip
            if held and held != kind:
                chip &= ~kind
                chip |= sum(1 << b for b, _ in zip(bits(kind), bits(held), strict=False))
        return chip

    def groups(self, left: int) -> Iterator[int]:
        """Yield the sets of operations that one step may compute, by their MACs."""
        pools = [left]
        if self.compute == 0:
            pools = [left & share for share in self.sharing.values()]
        for pool in pools:
            group = pool
            while group:
                if sum(self.macs[o] for o in bits(group)) <= self.macs_per_step:
                    yield group
                group = (group - 1) & pool

    def remaining(self, done: int, chip: int) -> int:
        """Bound the cost still to come: what is needed and absent, outputs, compute actions."""
        left = self.all & ~done
        absent = self.needed_by(left) & ~chip
        cost = self.load * self.bytes_of(absent)
        for b, share in self.sharing.items():
            if left & share:
                cost += self.write * self.complete_size[b]
                if done & share and not chip >> b & 1:
                    cost += self.load * self.size[b]
        actions = -(-sum(self.macs[o] for o in bits(left)) // self.macs_per_step)
        return cost + self.compute * actions

    def apart(self, cost: int) -> tuple[Fraction, ...]:
        """Return the costs that are joined in one."""
        values = []
        for scale in reversed(self.scales):
            cost, value = divmod(cost, _DECIDES)
            values.append(Fraction(value, scale))
        return tuple(reversed(values))

    def run(self) -> tuple[Fraction, ...] | None:
        start = (0, 0)
        best = {start: 0}
        queue = [(self.remaining(*start), start)]
        closed: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        while queue:
            _, state = heapq.heappop(queue)
            done, chip = state
            if done == self.all:
                return self.apart(best[state])
            inputs = chip & self.input_mask
            rivals = closed[done, chip & ~self.input_mask]
            if any(g <= best[state] and not inputs & ~other for g, other in rivals):
                continue
            rivals.append((best[state], inputs))
            for cost, after in self.moves(*state):
                total = best[state] + cost
                if total < best.get(after, total + 1):
                    best[after] = total
                    heapq.heappush(queue, (total + self.remaining(*after), after))
        return None

    def moves(self, done: int, chip: int) -> Iterator[tuple[int, tuple[int, int]]]:
        for group in self.groups(self.all & ~done):
            after = done | group
            needed = self.needed_by(group)
            cost = self.compute + self.load * self.bytes_of(needed & ~chip)
            busy = self.bytes_of(needed)
            held = touched = 0
            for b in {self.output_of[o] for o in bits(group)}:
                share = self.sharing[b]
                touched |= 1 << b
                before = self.size[b] if done & share else 0
                if done & share and not chip >> b & 1:
                    cost += self.load * self.size[b]
                if share & ~after:
                    held |= 1 << b
                    busy += max(before, self.size[b])
                else:
                    cost += self.write * self.complete_size[b]
                    busy += max(before, self.complete_size[b])
            if busy > self.memory:
                continue
            future = self.needed_by(self.all & ~after)
            spare = chip & ~needed & ~touched & (future | ~self.input_mask)
            always = (needed & future) | held
            for kept in self.maximal(spare, self.all & ~after, self.memory - busy):
                spilled = self.bytes_of(spare & ~kept & ~self.input_mask)
                chip_after = self.first_of_each(self.all & ~after, kept | always)
                yield cost + self.write * spilled, (after, chip_after)

    def maximal(self, blocks: int, left: int, room: int) -> Iterator[int]:
        """Yield the subsets, blocks alike in order, to which no other block could be added."""
        inputs = blocks & self.input_mask
        kinds = {blocks & self.alike(left)[b] for b in bits(inputs)}
        kinds |= {1 << b for b in bits(blocks & ~inputs)}
        items = [(self.size[next(bits(kind))], list(bits(kind))) for kind in kinds]
        items.sort(key=lambda item: -item[0])
        rest = [0, *itertools.accumulate(size * len(b) for size, b in reversed(items))][::-1]

        def extend(k: int, kept: int, room: int, smallest_out: int) -> Iterator[int]:
            if room - rest[k] >= smallest_out:
                return
            if k == len(items):
                yield kept
                return
            size, members = items[k]
            for count in range(min(len(members), room // size), -1, -1):
                out = smallest_out if count == len(members) else min(size, smallest_out)
                more = sum(1 << b for b in members[:count])
                yield from extend(k + 1, kept | more, room - count * size, out)

        yield from extend(0, 0, room, self.memory + 1)
