"""The tests' oracle itself: against every sequence of single actions, and against `Problem`."""

import heapq
import itertools
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings

from offloadasp.model.instance import Accelerator, Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from tests.engines.exhaustive import Game, bits, game_of, optimal_duration
from tests.support.bounds_cases import tight_problems, tiny_problems
from tests.support.layers import accelerator, problem_with

State = tuple[int, int]  # operations done, blocks on chip, as bit sets


class SingleActions:
    """Dijkstra over single actions in any order: free, write or load a block, compute a set.

    Nothing is left out: any order of such actions is a strategy, since a step may lack any of its
    four actions, and every strategy is such an order.
    """

    def __init__(self, game: Game, chip: Accelerator):
        self.game, self.chip = game, chip
        self.inputs, self.outputs = list(game.input_bytes), list(game.output_bytes)
        self.first = len(self.inputs)
        self.needs = [sum(1 << self.inputs.index(b) for b in o.inputs) for o in game.operations]
        self.target = [self.first + self.outputs.index(o.output) for o in game.operations]
        self.share = [
            sum(1 << o for o, t in enumerate(self.target) if t == b)
            for b in range(self.first + len(self.outputs))
        ]
        self.everything = (1 << len(game.operations)) - 1

    def size(self, b: int, done: int) -> int:
        """Bytes of a block once ``done`` is computed, on chip or not."""
        if b < self.first:
            return self.game.input_bytes[self.inputs[b]]
        partial, complete = self.game.output_bytes[self.outputs[b - self.first]]
        return 0 if not done & self.share[b] else partial if self.share[b] & ~done else complete

    def held(self, blocks: int, done: int) -> int:
        return sum(self.size(b, done) for b in bits(blocks))

    def moves_of_data(self, done: int, blocks: int) -> Iterator[tuple[Fraction, State]]:
        for b, share in enumerate(self.share):
            size = self.size(b, done)
            if blocks >> b & 1:
                cost = Fraction(0) if b < self.first else self.chip.write_cycles * size
                yield cost, (done, blocks ^ 1 << b)
                continue
            in_main_memory = b < self.first or (done & share and share & ~done)
            if in_main_memory and self.held(blocks, done) + size <= self.chip.memory:
                yield self.chip.load_cycles * size, (done, blocks | 1 << b)

    def compute_actions(self, done: int, blocks: int) -> Iterator[tuple[Fraction, State]]:
        ready = sum(
            1 << o
            for o in bits(self.everything & ~done)
            if not self.needs[o] & ~blocks
            and (blocks >> self.target[o] & 1 or not done & self.share[self.target[o]])
        )
        group = ready
        while group:
            touched = {self.target[o] for o in bits(group)}
            rest = blocks & ~sum(1 << b for b in touched)
            peak = self.held(rest, done) + sum(
                max(self.size(b, done), self.size(b, done | group)) for b in touched
            )
            macs = sum(self.game.operations[o].macs for o in bits(group))
            if peak <= self.chip.memory and macs <= self.chip.macs_per_step:
                after = rest | sum(1 << b for b in touched)
                cycles = self.chip.compute_cycles + self.chip.mac_cycles * macs
                yield cycles, (done | group, after)
            group = (group - 1) & ready

    def least_duration(self) -> Fraction | None:
        best: dict[State, Fraction] = {(0, 0): Fraction(0)}
        queue = [(Fraction(0), (0, 0))]
        while queue:
            cost, state = heapq.heappop(queue)
            if state == (self.everything, 0):
                return cost
            if cost > best[state]:
                continue
            actions = itertools.chain(self.moves_of_data(*state), self.compute_actions(*state))
            for more, after in actions:
                if after not in best or cost + more < best[after]:
                    best[after] = cost + more
                    heapq.heappush(queue, (cost + more, after))
        return None


@given(tight_problems(operations=4, blocks=8, kernel=2))
@settings(max_examples=60, deadline=None)
def test_search_over_steps_agrees_with_every_sequence_of_actions(problem: Problem) -> None:
    expected = SingleActions(game_of(problem), problem.accelerator).least_duration()
    assert optimal_duration(problem) == expected


@given(tiny_problems(operations=12, blocks=60))
@settings(max_examples=100, deadline=None)
def test_blocks_and_operations_agree_with_the_sizes_of_the_problem(problem: Problem) -> None:
    game = game_of(problem)
    tiles = problem.tile_grid[0] * problem.tile_grid[1]
    assert len(game.operations) == tiles * problem.exists.count
    assert sum(operation.macs for operation in game.operations) == problem.total_macs
    kernels = [size for block, size in game.input_bytes.items() if block[0] == "kernel"]
    assert sum(kernels) == problem.kernel_total
    assert sum(game.input_bytes.values()) == problem.kernel_total + problem.input_total
    assert sum(complete for _, complete in game.output_bytes.values()) == problem.output_total
    assert sum(partial for partial, _ in game.output_bytes.values()) == (
        problem.positions * int(problem.partial_bytes.sum())
    )


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 5), (5, 5)])
@pytest.mark.parametrize("row_kept", [False, True])
def test_optima_known_by_hand_for_one_patch_a_step(height: int, width: int, row_kept: bool) -> None:
    """A 3 x 3 kernel on chip for good, outputs that stream out at no bytes.

    With room for one patch, each next one loads three pixels at least, and a serpentine no more.
    With room for two rows and three pixels, row-major order loads every pixel once.
    """
    layer = Layer(input=(1, height, width), kernels=1, kernel_shape=(3, 3))
    positions = (height - 2) * (width - 2)
    room, loads = (2 * width + 3, height * width) if row_kept else (9, 9 + 3 * (positions - 1))
    chip = accelerator(memory=9 + room, compute=0, macs=9)
    whole = Resolved(tile=(1, 1), kernel_groups=((0, 1),), channel_groups=((0, 1),))
    assert optimal_duration(problem_with(layer, chip, Precision(output=0), whole)) == 9 + loads
