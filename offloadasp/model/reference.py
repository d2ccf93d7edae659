"""A third reading of strategies: sets and plain loops, nothing shared with the other two.

It stops at the first step that breaks a rule and says which ones: what follows from a broken rule
depends on how a reading goes on, the first broken step does not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Step, Strategy
from tests.engines.plans import Block, Sizes, operations, pixels_of

Entry = tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """The first step that breaks rules, and their names, or none; and what a valid one costs."""

    step: int | None
    rules: frozenset[str]
    duration: Fraction


def cells(entry: Entry, keys: int) -> Iterator[Block]:
    """Return every block of a box, or the kernel that an entry is."""
    if len(entry) == keys:
        yield entry
        return
    r0, r1, c0, c1 = entry[keys:]
    yield from ((*entry[:keys], r, c) for r in range(r0, r1) for c in range(c0, c1))


class _Reader:
    def __init__(self, problem: Problem) -> None:
        self.problem, self.sizes = problem, Sizes(problem)
        self.all_operations: set[Block] = set(operations(problem))
        self.blocks: dict[str, set[Block]] = {
            "pixels": set().union(*(pixels_of(problem, o) for o in operations(problem))),
            "kernels": {(n, q) for n, q, _, _ in operations(problem)},
            "outputs": {(n, i, j) for n, _, i, j in operations(problem)},
        }
        # A channel group that no kernel group matches has pixels all the same.
        self.blocks["pixels"] |= {
            (q, r, c)
            for q in range(len(problem.channel_sizes))
            for _, r, c in self.blocks["pixels"]
        }
        self.chip: dict[str, set[Block]] = {"pixels": set(), "kernels": set(), "outputs": set()}
        self.spilled: set[Block] = set()
        self.done: set[Block] = set()
        self.bad: set[str] = set()
        self.duration = Fraction(0)

    def listed(
        self, entries: Iterable[Entry], keys: int, known: set[Block], rule: str
    ) -> set[Block]:
        """Return the blocks that a list names and that exist."""
        count: Counter[Block] = Counter()
        for entry in entries:
            found = list(cells(entry, keys))
            if not found:
                self.bad.add("empty_box")
            count.update(found)
        if any(number > 1 for number in count.values()):
            self.bad.add("overlapping_boxes")
        if set(count) - known:
            self.bad.add(rule)
        return set(count) & known

    def require(self, blocks: set[Block], good: Callable[[Block], bool], rule: str) -> None:
        if any(not good(block) for block in blocks):
            self.bad.add(rule)

    def read(self, step: Step) -> None:
        chip, blocks, accelerator = self.chip, self.blocks, self.problem.accelerator
        lists = (step.free, step.write, step.load)
        if not step.compute and not any(rows for table in lists for _, rows in table):
            self.bad.add("empty_step")
        for kind, keys in (("pixels", 1), ("kernels", 2)):
            freed = self.listed(getattr(step.free, kind), keys, blocks[kind], "not_a_block")
            self.require(freed, chip[kind].__contains__, "free_absent")
            chip[kind] -= freed
        written = self.write(step)
        loaded = {
            kind: self.listed(getattr(step.load, kind), keys, blocks[place], "not_a_block")
            for kind, keys, place in (
                ("pixels", 1, "pixels"), ("kernels", 2, "kernels"), ("partial_sums", 1, "outputs"),
            )
        }  # fmt: skip
        for kind, found in loaded.items():
            place = "outputs" if kind == "partial_sums" else kind
            absent = found - chip[place]
            if found - absent:
                self.bad.add("load_present")
            if kind == "partial_sums":
                self.require(absent, self.reloadable, "load_unspilled")
            chip[place] |= found
        read = sum(self.size(kind, block) for kind, found in loaded.items() for block in found)
        self.duration += accelerator.load_cycles * read + accelerator.write_cycles * written
        self.compute(step)

    def reloadable(self, block: Block) -> bool:
        return block in self.spilled and self.sizes.missing[block] > 0

    def write(self, step: Step) -> int:
        moved, outputs = 0, self.chip["outputs"]
        for complete, rows in ((True, step.write.outputs), (False, step.write.partial_sums)):
            named = self.listed(rows, 1, self.blocks["outputs"], "not_a_block")
            self.require(named, outputs.__contains__, "write_absent")
            for block in named & outputs:
                finished = self.sizes.missing[block] == 0
                if complete and not finished:
                    self.bad.add("write_incomplete")
                if not complete and finished:
                    self.bad.add("write_complete_as_partial")
                moved += self.size("outputs", block)
            self.spilled |= set() if complete else named
            outputs -= named
        return moved

    def compute(self, step: Step) -> None:
        chip, sizes, accelerator = self.chip, self.sizes, self.problem.accelerator
        named = self.listed(step.compute, 2, self.all_operations, "not_an_operation")
        if named & self.done:
            self.bad.add("compute_twice")
        fresh = named - self.done
        for operation in fresh:
            n, q, i, j = operation
            begun = any(o[0] == n and o[2:] == (i, j) for o in self.done)
            needed = (
                pixels_of(self.problem, (n, q, i, j)) <= chip["pixels"],
                (n, q) in chip["kernels"],
                not begun or (n, i, j) in chip["outputs"],
            )
            if not all(needed):
                self.bad.add("use_absent")
        touched = {(n, i, j) for n, _, i, j in fresh}
        before = {b: self.size("outputs", b) if b in chip["outputs"] else 0 for b in touched}
        self.fit(0)
        for n, _, i, j in fresh:
            sizes.missing[n, i, j] -= 1
        chip["outputs"] |= touched
        self.fit(sum(max(0, before[b] - self.size("outputs", b)) for b in touched))
        macs = sum(int(self.problem.operation_macs[n, q]) for n, q, _, _ in named)
        if macs > accelerator.macs_per_step:
            self.bad.add("macs")
        self.duration += accelerator.compute_cycles * bool(named)
        self.done |= fresh

    def size(self, kind: str, block: Block) -> int:
        return self.sizes.of("outputs" if kind == "partial_sums" else kind, block)

    def fit(self, more: int) -> None:
        """Note if the chip holds more than fits, with so many bytes more while it computes.

        What it holds once another rule is broken is a matter of opinion.
        """
        if self.bad:
            return
        held = sum(self.size(kind, block) for kind, blocks in self.chip.items() for block in blocks)
        if held + more > self.problem.accelerator.memory:
            self.bad.add("memory")

    def end(self) -> None:
        if self.all_operations - self.done:
            self.bad.add("never_computed")
        if any(self.chip.values()) and not self.bad - {"never_computed"}:
            self.bad.add("left_on_chip")


def read(strategy: Strategy) -> Reading:
    """Read a strategy up to the first step that breaks a rule."""
    reader = _Reader(strategy.problem)
    last = len(strategy.steps)
    for t, step in enumerate(strategy.steps, start=1):
        reader.read(step)
        if t == last:
            reader.end()
        if reader.bad:
            return Reading(t, frozenset(reader.bad), reader.duration)
    if not last:
        reader.end()
    step_ = 0 if reader.bad else None
    return Reading(step_, frozenset(reader.bad), reader.duration)
