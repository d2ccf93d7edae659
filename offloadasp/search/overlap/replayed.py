"""The plan of a path of states of the complete search with overlap."""

from collections import defaultdict
from collections.abc import Sequence

from offloadasp.model.plan import TABLES, Plan, plan_from_rows, without_empty_steps
from offloadasp.search.overlap.game import Counts, Row, bits
from offloadasp.search.overlap.moves import Move, Moves, State
from offloadasp.search.overlap.symmetry import Symmetry


def replayed(moves: Moves, symmetry: Symmetry, path: Sequence[tuple[int, State]]) -> Plan:
    """Return the plan of a path to a state in which all operations are done.

    Parameters
    ----------
    path
        The time of each move, and a state of which its end is a mirror image.
    """
    state, replay = moves.start, _Replay(moves)
    for wanted, image in path:
        move, after = next(
            (move, after)
            for time, after, move in moves.of(state, wanted)
            if time == wanted and symmetry.canonical(after) == image
        )
        replay.move(state, move, after)
        state = after
    return replay.end()


class _Replay:
    """What is on chip, and the actions so far.

    Attributes
    ----------
    actual
        The input that stands for each one of the search, which takes inputs that are alike for each
        other.
    stays
        Of each input the steps that load it and that free it, in turn.
    waiting, unnamed
        Complete outputs, and the steps that loaded inputs ahead, by size.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves, self.game = moves, moves.game
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.step = 1
        self.chip = 0
        self.actual = list(range(len(self.game.sizes)))
        self.stays: defaultdict[int, list[int]] = defaultdict(list)
        self.waiting: defaultdict[int, list[int]] = defaultdict(list)
        self.unnamed: defaultdict[int, list[int]] = defaultdict(list)

    def move(self, before: State, move: Move, after: State) -> None:
        """Do all that a move does."""
        game, side, needs = self.game, move.side, self.game.needed(move.group)
        lacking = needs & ~before.chip
        self._free(self.chip & ~self._real(needs | side.kept))
        if move.spills or any(move.writes):
            self._write(move.spills, move.writes)
            self.step += 1
        self._load(lacking, move.ahead)
        if any(move.loads) or move.reloads:
            self._reload(move.reloads)
            self.step += 1
        if move.group or side.time or any(side.loads) or side.reloads:
            self._write(side.spills, side.writes)
            self._reload(side.reloads)
            for size, stay, new in zip(game.input_sizes, side.ahead, side.loads, strict=True):
                self.unnamed[size] = self.unnamed[size][:stay] + [self.step] * new
            self._compute(before.done, move.group)
            self.step += 1
        left = game.all & ~after.done
        self._exchange(left, (needs & game.needed(left)) | side.kept, after.chip)

    def end(self) -> Plan:
        """Write and free what is left, and return the plan."""
        self._free(self.chip)
        self._write(0, tuple(len(self.waiting[size]) for size in self.game.output_sizes))
        for b, steps in self.stays.items():
            for number, step in enumerate(steps):
                self._input("free" if number % 2 else "load", b, step)
        return without_empty_steps(plan_from_rows(self.game.problem, self.rows))

    def _real(self, inputs: int) -> int:
        return sum(1 << self.actual[b] for b in bits(inputs))

    def _input(self, action: str, b: int, step: int) -> None:
        pixels = self.game.pixels
        kind, row = (
            ("pixels", pixels[b])
            if b < len(pixels)
            else ("kernels", self.game.kernels[b - len(pixels)])
        )
        self.rows[f"{action}_{kind}"].append((step, *row))

    def _free(self, inputs: int) -> None:
        for b in bits(inputs):
            self.stays[b].append(self.step)
        self.chip &= ~inputs

    def _load(self, inputs: int, ahead: Counts) -> None:
        """Load inputs, but for so many that were loaded ahead."""
        named = dict(zip(self.game.input_sizes, ahead, strict=True))
        for b in bits(inputs):
            size, real = self.game.sizes[b], self.actual[b]
            step = self.step
            if named[size]:
                named[size] -= 1
                step = self.unnamed[size].pop(0)
            stays = self.stays[real]
            while stays and stays[-1] >= step:
                # It may as well have stayed, in the room of the one without a name.
                stays.pop()
                step = min(step, stays.pop())
            stays.append(step)
            self.chip |= 1 << real

    def _reload(self, sums: int) -> None:
        for b in bits(sums):
            self.rows["load_partial_sums"].append((self.step, *self.game.outputs[b]))

    def _write(self, sums: int, counts: Counts) -> None:
        for b in bits(sums):
            self.rows["write_partial_sums"].append((self.step, *self.game.outputs[b]))
        for size, count in zip(self.game.output_sizes, counts, strict=True):
            for _ in range(count):
                b = self.waiting[size].pop(0)
                self.rows["write_outputs"].append((self.step, *self.game.outputs[b]))

    def _compute(self, done: int, group: int) -> None:
        game = self.game
        for o in bits(group):
            self.rows["compute"] += [(self.step, *row) for row in game.operations[o]]
        for b in bits(game.whole(done | group) & ~game.whole(done)):
            self.waiting[game.complete[b]].append(b)

    def _exchange(self, left: int, chip: int, found: int) -> None:
        """Let inputs that are alike stand for each other, so that those found are on chip."""
        actual = list(self.actual)
        for kind in self.moves.sides.kinds(left):
            held, named = kind.members & chip, kind.members & found
            old = [*bits(held), *bits(kind.members & ~held)]
            new = [*bits(named), *bits(kind.members & ~named)]
            for b, other in zip(new, old, strict=True):
                self.actual[b] = actual[other]
