"""Constructive plans: traversals by rules inside loops over the groups, with the best to keep.

First every *frame* (decomposition, loops, step size, resident kernels) is tried with a few
numbers of strips, then the best frames with every number; the baselines get every frame of the
decomposition that won.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from offloadasp.problem import Problem
from offloadasp.search.clock import Clock
from offloadasp.search.keep import Schedule, schedule, steps_of_order
from offloadasp.search.order import NESTS, order_of
from offloadasp.search.traversal import ROW_BY_ROW, ZIGZAG, Traversal, Traversals, traversals

# Frames that the second stage refines, and the share of the time that both stages may use.
_REFINED = 6
_TIME_SHARE = 0.6
# Above this many strips only every so many-th number is tried.
_DENSE_STRIPS = 24


@dataclass(frozen=True)
class Frame:
    """Everything about a constructive plan but the traversal."""

    problem: Problem
    nest: str
    chunk: int
    size: int
    residents: int

    def at(self, memory: int) -> "Frame":
        """Return the same frame at another memory in bytes."""
        return replace(self, problem=self.problem.with_memory(memory))

    @property
    def text(self) -> str:
        """The loops in a reader's words."""
        words = {"n": "kernel groups", "q": "channel groups", "c": f"chunks of {self.chunk}"}
        groups = self.problem.exists.shape
        rows, columns = self.problem.tile_grid
        more = {"n": groups[0] > 1, "q": groups[1] > 1, "c": self.chunk < rows * columns}
        loops = [words[loop] for loop in self.nest if more[loop]]
        nested = f", loops over {', '.join(loops)}" if loops and max(groups) > 1 else ""
        plural = "s" if self.size > 1 else ""
        return f"up to {self.size} operation{plural} a step{nested}"


@dataclass(frozen=True)
class Constructed:
    """A constructive plan: where it comes from and what it costs."""

    frame: Frame
    traversal: Traversal
    schedule: Schedule

    @property
    def cost(self) -> int:
        """In units of the rules."""
        return self.schedule.cost


def frames(problem: Problem) -> Iterator[Frame]:
    """Yield the frames of a decomposition, each kind of loop nest once."""
    rows, columns = problem.tile_grid
    tiles = rows * columns
    kernel_groups, channel_groups = problem.exists.shape
    pairs = int(problem.exists.sum())
    chunks = [1] if pairs == 1 else _chunks(tiles, columns)
    seen = set()
    for chunk in chunks:
        for nest in NESTS:
            trivial = {"n": kernel_groups == 1, "q": channel_groups == 1, "c": chunk >= tiles}
            kind = (chunk, "".join(loop for loop in nest if not trivial[loop]))
            if kind in seen:
                continue
            seen.add(kind)
            for size in _sizes(problem, pairs):
                for residents in _residents(problem, pairs):
                    yield Frame(problem, nest, chunk, size, residents)


def _chunks(tiles: int, columns: int) -> list[int]:
    powers = [4**k for k in range(20) if 4**k < tiles]
    return sorted({*powers, min(columns, tiles), tiles}, reverse=True)


def _sizes(problem: Problem, pairs: int) -> list[int]:
    """Numbers of operations per step, most first: every small one, then ever sparser ones."""
    height, width = problem.decomposition.tile
    work = int(problem.operation_macs[problem.exists].min()) * height * width
    most = max(1, min(problem.accelerator.macs_per_step // work, pairs * problem.positions))
    sizes = {most, most // pairs * pairs}
    while most > 1:
        most = most - 1 if most <= 8 else most * 2 // 3
        sizes |= {most, most // pairs * pairs}
    return sorted(sizes - {0} or {1}, reverse=True)


def _residents(problem: Problem, pairs: int) -> list[int]:
    """Numbers of kernel blocks that stay: all, none, and as many as fit beside a patch."""
    if pairs == 1:
        return [0]
    sizes = problem.kernel_bytes[problem.exists].cumsum()
    rows, columns = problem.taps_per_axis
    patch = int(rows.sum(axis=1).max() * columns.sum(axis=1).max() * problem.pixel_bytes.max())
    free = problem.memory - patch - int(problem.kernel_bytes.max())
    fitting = int((sizes <= free).sum())
    return sorted({pairs, fitting, fitting // 2, 0}, reverse=True)


@dataclass
class Best:
    """The best plan so far, the best of every kind of traversal, and every plan once the best."""

    overall: Constructed | None = None
    by_name: dict[str, Constructed] = field(default_factory=dict)
    history: list[Constructed] = field(default_factory=list)

    def add(self, found: Constructed) -> bool:
        """Take a plan in; return whether it is the best of all."""
        known = self.by_name.get(found.traversal.name)
        if known is None or found.cost < known.cost:
            self.by_name[found.traversal.name] = found
        if self.overall is None or found.cost < self.overall.cost:
            self.overall = found
            self.history.append(found)
            return True
        return False

    def cost(self, name: str | None = None) -> int | None:
        """Return the cost to beat: of one kind of traversal, or of all."""
        known = self.overall if name is None else self.by_name.get(name)
        return None if known is None else known.cost


def evaluate(
    known: Traversals, frame: Frame, traversal: Traversal, best: int | None = None
) -> Constructed | None:
    """Walk a frame along a traversal; None where it does not fit or cannot beat ``best``."""
    tiles = known.visits(frame.problem.tile_grid, traversal)
    order = order_of(frame.problem, tiles, frame.nest, frame.chunk)
    step = steps_of_order(frame.problem, order, frame.size)
    found = schedule(frame.problem, order, step, frame.residents, best)
    return None if found is None else Constructed(frame, traversal, found)


@dataclass
class Constructor:
    """Searches the constructive plans of a layer in some decompositions.

    Attributes
    ----------
    known
        Gives the traversals.
    problems
        The layer in different decompositions, in the order in which to try them.
    clock
        Limits the search.
    enough
        A proven lower bound in units of the rules: a plan of this cost ends the search.
    on_better
        Told of every plan that is the best so far.
    """

    known: Traversals
    problems: Sequence[Problem]
    clock: Clock
    enough: int
    on_better: Callable[[Constructed], None] = lambda _: None
    best: Best = field(default_factory=Best)

    def run(self) -> Best:
        """Search, and return the best plans found."""
        for frame in self._screen():
            for traversal in _strips(frame.problem.tile_grid):
                if self._satisfied() or not self.clock.spend(_TIME_SHARE):
                    break
                self._attempt(frame, traversal, self.best.cost())
        if self.best.overall is not None:
            for frame in frames(self.best.overall.frame.problem):
                for baseline in (ROW_BY_ROW, ZIGZAG):
                    if not self.clock.interrupted:
                        self._attempt(frame, baseline, self.best.cost(baseline.name))
        return self.best

    def _screen(self) -> list[Frame]:
        """Try every frame with a few numbers of strips; return the most promising ones."""
        ranked: list[tuple[int, int, Frame]] = []
        for problem in self.problems:
            probes = _probes(problem.tile_grid)
            for frame in frames(problem):
                # Without any plan yet the search goes on: some plan comes first.
                if self.best.overall is not None and (
                    self._satisfied() or not self.clock.spend(_TIME_SHARE / 2)
                ):
                    break
                if self.clock.interrupted:
                    break
                best = self.best.cost()
                found = [self._attempt(frame, probe, best) for probe in probes]
                costs = [plan.cost for plan in found if plan is not None]
                if costs:
                    ranked.append((min(costs), len(ranked), frame))
        return [frame for _, _, frame in sorted(ranked, key=lambda entry: entry[:2])[:_REFINED]]

    def _satisfied(self) -> bool:
        return self.best.overall is not None and self.best.overall.cost <= self.enough

    def _attempt(self, frame: Frame, traversal: Traversal, best: int | None) -> Constructed | None:
        found = evaluate(self.known, frame, traversal, best)
        if found is not None and self.best.add(found):
            self.on_better(found)
        return found


def _strips(grid: tuple[int, int]) -> Iterator[Traversal]:
    """Yield all strips of a grid, and of very many strips only some numbers."""
    for traversal in traversals(grid):
        count = traversal.strips
        dense = count <= _DENSE_STRIPS or count % (count // _DENSE_STRIPS * 4) == 0
        if traversal.name == "strips" and dense:
            yield traversal


def _probes(grid: tuple[int, int]) -> list[Traversal]:
    """Return a few numbers of strips, along and across."""
    return [
        traversal
        for traversal in traversals(grid)
        if traversal.name == "strips" and traversal.strips in (1, 2, 4)
    ]
