"""The plan of a sequence of moves of the complete search with overlap."""

from collections import defaultdict
from collections.abc import Mapping

from offloadasp.model.plan import TABLES, Plan, plan_from_rows
from offloadasp.search.overlap.game import Row, bits
from offloadasp.search.overlap.moves import Move, Moves, State


def replayed(moves: Moves, end: State, parents: Mapping[State, tuple[State, Move]]) -> Plan:
    """Return the plan of the moves that lead to a state in which all operations are done.

    Parameters
    ----------
    parents
        Of each state but the first the state before it, and the move.
    """
    path: list[tuple[State, Move, State]] = []
    state = end
    while state in parents:
        before, move = parents[state]
        path.append((before, move, state))
        state = before
    replay = _Replay(moves)
    for before, move, after in reversed(path):
        replay.move(before, move, after)
    return replay.end()


class _Replay:
    """What is on chip, and the actions so far.

    Attributes
    ----------
    actual
        The input that stands for each one of the search, which takes inputs that are alike for each
        other.
    """

    def __init__(self, moves: Moves) -> None:
        self.moves, self.game = moves, moves.game
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.step = 1
        self.chip = 0
        self.actual = list(range(len(self.game.sizes)))
        self.waiting: defaultdict[int, list[int]] = defaultdict(list)

    def move(self, before: State, move: Move, after: State) -> None:
        """Do all that a move does."""
        game, side, needs = self.game, move.side, self.game.needed(move.group)
        self._free(self.chip & ~self._real(needs | side.kept))
        if move.spills or any(move.writes):
            self._write(move.spills, move.writes)
            self.step += 1
        if move.loads or move.reloads:
            self._load(move.loads, move.reloads)
            self.step += 1
        if move.group or side.time or side.loads or side.reloads:
            self._write(side.spills, side.writes)
            self._load(side.loads, side.reloads)
            self._compute(before.done, move.group)
            self.step += 1
        left = game.all & ~after.done
        self._exchange(left, (needs & game.needed(left)) | side.kept | side.loads, after.chip)

    def end(self) -> Plan:
        """Write and free what is left, and return the plan."""
        self._free(self.chip)
        self._write(0, tuple(len(self.waiting[size]) for size in self.moves.sides.classes))
        return plan_from_rows(self.game.problem, self.rows)

    def _real(self, inputs: int) -> int:
        return sum(1 << self.actual[b] for b in bits(inputs))

    def _input(self, action: str, b: int) -> None:
        pixels = self.game.pixels
        kind, row = (
            ("pixels", pixels[b])
            if b < len(pixels)
            else ("kernels", self.game.kernels[b - len(pixels)])
        )
        self.rows[f"{action}_{kind}"].append((self.step, *row))

    def _free(self, inputs: int) -> None:
        for b in bits(inputs):
            self._input("free", b)
        self.chip &= ~inputs

    def _load(self, inputs: int, sums: int) -> None:
        for b in bits(self._real(inputs)):
            self._input("load", b)
            self.chip |= 1 << b
        for b in bits(sums):
            self.rows["load_partial_sums"].append((self.step, *self.game.outputs[b]))

    def _write(self, sums: int, counts: tuple[int, ...]) -> None:
        for b in bits(sums):
            self.rows["write_partial_sums"].append((self.step, *self.game.outputs[b]))
        for size, count in zip(self.moves.sides.classes, counts, strict=True):
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
