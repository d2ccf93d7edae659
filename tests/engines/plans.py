"""Valid strategies for any problem, made without a solver: block by block, in plain loops.

Slow and simple on purpose: a third reading of the model beside the simulator and the rules.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from offloadasp.model.instance import (
    Accelerator,
    Energy,
    Layer,
    Precision,
    Resolved,
    ResolvedInstance,
    split_evenly,
)
from offloadasp.model.plan import TABLES, Plan, plan_from_rows
from offloadasp.model.problem import Problem, problem_of
from offloadasp.model.strategy import Strategy, steps_of
from tests.support.layers import on_accelerator

Operation = tuple[int, int, int, int]  # n, q, i, j
Block = tuple[int, ...]  # pixels (q, r, c), kernels (n, q), outputs (n, i, j)


def problem(
    layer: Layer,
    *,
    kernel_groups: int = 1,
    channel_groups: int = 1,
    memory: int = 2**40,
    precision: Precision | None = None,
    load_cycles: Fraction = Fraction(1),
    write_cycles: Fraction = Fraction(1),
    compute_cycles: Fraction = Fraction(10),
    macs_per_step: int = 2**40,
    mac_cycles: Fraction = Fraction(0),
) -> Problem:
    """Return a problem with even groups; unless said, memory and MACs are no limit."""
    accelerator = Accelerator(
        memory=memory,
        load_cycles=load_cycles,
        write_cycles=write_cycles,
        compute_cycles=compute_cycles,
        macs_per_step=macs_per_step,
        mac_cycles=mac_cycles,
    )
    decomposition = Resolved(
        kernel_groups=split_evenly(layer.kernels, kernel_groups),
        channel_groups=split_evenly(layer.input[0], channel_groups),
    )
    instance = ResolvedInstance(
        name="test",
        layer=layer,
        accelerator=accelerator,
        precision=precision or Precision(),
        decomposition=decomposition,
    )
    return problem_of(instance, decomposition)


def operations(problem: Problem) -> list[Operation]:
    """Return all operations row by row, the groups of a position together."""
    layer, groups = problem.layer, problem.decomposition
    kernels, channels = layer.kernels // layer.group, layer.input[0] // layer.group
    pairs = [
        (n, q)
        for n, (k0, k1) in enumerate(groups.kernel_groups)
        for q, (c0, c1) in enumerate(groups.channel_groups)
        if {k // kernels for k in range(k0, k1)} & {c // channels for c in range(c0, c1)}
    ]
    _, height, width = layer.output_shape
    return [(n, q, i, j) for i in range(height) for j in range(width) for n, q in pairs]


def shuffled(problem: Problem, seed: int) -> list[Operation]:
    """Return all operations in an order drawn from the seed."""
    found = operations(problem)
    random.Random(seed).shuffle(found)
    return found


def grouped(order: Sequence[Operation], size: int) -> list[list[Operation]]:
    """Cut an order of operations into steps of a size, the last one possibly smaller."""
    return [list(order[k : k + size]) for k in range(0, len(order), size)]


def pixels_of(problem: Problem, operation: Operation) -> set[Block]:
    """Return the pixel blocks ``(q, r, c)`` that an operation needs."""
    layer = problem.layer
    _, q, i, j = operation
    _, height, width = layer.input
    rows = [
        i * layer.strides[0] + a * layer.dilations[0] - layer.pads[0]
        for a in range(layer.kernel_shape[0])
    ]
    columns = [
        j * layer.strides[1] + b * layer.dilations[1] - layer.pads[1]
        for b in range(layer.kernel_shape[1])
    ]
    return {(q, r, c) for r in rows for c in columns if 0 <= r < height and 0 <= c < width}


@dataclass(frozen=True)
class Habits:
    """How a plan deviates from the lean one; every value is a probability.

    Attributes
    ----------
    keep
        An input block that is needed again, but not in the next step, stays on chip.
    spill
        A partial sum that the next step does not need is written to main memory.
    delay
        A complete output is not written in the next step but later.
    preload
        A block that the step after the next needs is loaded already.
    pause
        Freeing, writing and loading take a step of their own, without a compute action.
    """

    keep: float = 0.0
    spill: float = 0.0
    delay: float = 0.0
    preload: float = 0.0
    pause: float = 0.0


LEAN = Habits()
THRIFTY = Habits(keep=1.0)
SPILLING = Habits(keep=0.5, spill=1.0)
PRELOADING = Habits(keep=0.5, preload=0.5, pause=0.5)
MIXED = Habits(keep=0.5, spill=0.5, delay=0.5, preload=0.3, pause=0.3)
HABITS = {
    "lean": LEAN,
    "thrifty": THRIFTY,
    "spilling": SPILLING,
    "preloading": PRELOADING,
    "mixed": MIXED,
}


@dataclass(frozen=True)
class Use:
    """What a compute action touches."""

    pixels: set[Block]
    kernels: set[Block]
    outputs: set[Block]


def needs(problem: Problem, group: Sequence[Operation]) -> Use:
    """Return what a group of operations touches."""
    return Use(
        set().union(*(pixels_of(problem, operation) for operation in group)),
        {(n, q) for n, q, _, _ in group},
        {(n, i, j) for n, _, i, j in group},
    )


@dataclass
class _Builder:
    problem: Problem
    groups: Sequence[Sequence[Operation]]
    habits: Habits
    draw: random.Random
    step: int = 1
    pixels: set[Block] = field(default_factory=set)
    kernels: set[Block] = field(default_factory=set)
    outputs: set[Block] = field(default_factory=set)
    spilled: set[Block] = field(default_factory=set)
    missing: dict[Block, int] = field(default_factory=dict)
    rows: dict[str, list[tuple[int, ...]]] = field(
        default_factory=lambda: {name: [] for name in TABLES}
    )

    def act(self, name: str, blocks: Iterable[Block]) -> None:
        self.rows[name] += [(self.step, *block) for block in blocks]

    def chance(self, probability: float) -> bool:
        return self.draw.random() < probability

    def build(self) -> Plan:
        uses = [needs(self.problem, group) for group in self.groups]
        for n, _, i, j in (operation for group in self.groups for operation in group):
            self.missing[n, i, j] = self.missing.get((n, i, j), 0) + 1
        for k, group in enumerate(self.groups):
            self.prepare(uses[k], uses[k + 1 :])
            acted = any(rows and rows[-1][0] == self.step for rows in self.rows.values())
            if acted and self.chance(self.habits.pause):
                self.step += 1
            self.act("compute", group)
            self.outputs |= uses[k].outputs
            for n, _, i, j in group:
                self.missing[n, i, j] -= 1
            self.step += 1
        self.habits = LEAN
        self.prepare(Use(set(), set(), set()), [])
        return plan_from_rows(self.problem, self.rows)

    def prepare(self, now: Use, later: Sequence[Use]) -> None:
        """Free, write and load what the next compute action asks for."""
        self.inputs("pixels", self.pixels, now.pixels, [use.pixels for use in later])
        self.inputs("kernels", self.kernels, now.kernels, [use.kernels for use in later])
        leaving = sorted(self.outputs - now.outputs)
        done = {b for b in leaving if not self.missing[b] and not self.chance(self.habits.delay)}
        spilt = {b for b in leaving if self.missing[b] and self.chance(self.habits.spill)}
        early = sorted(later[0].outputs & self.spilled) if later else []
        loaded = {b for b in early if self.chance(self.habits.preload)}
        loaded |= now.outputs & self.spilled
        self.act("write_outputs", done)
        self.act("write_partial_sums", spilt)
        self.act("load_partial_sums", loaded)
        self.outputs = (self.outputs - done - spilt) | loaded
        self.spilled = (self.spilled - loaded) | spilt

    def inputs(
        self, name: str, on_chip: set[Block], now: set[Block], later: Sequence[set[Block]]
    ) -> None:
        coming = set().union(*later)
        freed = {
            block
            for block in sorted(on_chip - now)
            if block not in coming or not self.chance(self.habits.keep)
        }
        early = sorted(later[0] - on_chip) if later else []
        loaded = (now - on_chip) | {b for b in early if self.chance(self.habits.preload)}
        self.act(f"free_{name}", freed)
        self.act(f"load_{name}", loaded)
        on_chip -= freed
        on_chip |= loaded


def make_plan(
    problem: Problem,
    groups: Sequence[Sequence[Operation]],
    habits: Habits = LEAN,
    seed: int = 0,
) -> Plan:
    """Return a valid plan that computes the groups of operations in order, one group a step.

    The groups must hold every operation once. Blocks are loaded when needed and freed when the
    next step does not need them; complete outputs are written in the next step; habits deviate.
    """
    return _Builder(problem, groups, habits, random.Random(seed)).build()


def random_plan(problem: Problem, seed: int, habits: Habits | None = None) -> Plan:
    """Return a valid plan in a random order, with random step sizes and mixed habits."""
    draw = random.Random(seed)
    order = shuffled(problem, seed) if draw.random() < 0.5 else operations(problem)
    groups: list[list[Operation]] = []
    while order:
        size = draw.randint(1, 4)
        groups.append(order[:size])
        order = order[size:]
    if habits is None:
        habits = draw.choice(list(HABITS.values()))
    return make_plan(problem, groups, habits, seed)


# The lists of a step, and where their blocks are on chip: a complete output was a partial sum.
PLACES = {
    "pixels": "pixels",
    "kernels": "kernels",
    "outputs": "outputs",
    "partial_sums": "outputs",
}
KINDS = tuple(PLACES)


class Sizes:
    """Bytes of blocks, outputs by how many operations they miss."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.missing: Counter[Block] = Counter((n, i, j) for n, _, i, j in operations(problem))

    def of(self, kind: str, block: Block) -> int:
        if kind == "pixels":
            return int(self.problem.pixel_bytes[block[0]])
        if kind == "kernels":
            n, q = block
            return int(self.problem.kernel_bytes[n, q])
        missing = self.missing[block]
        sizes = self.problem.partial_bytes if missing else self.problem.output_bytes
        return int(sizes[block[0]])


@dataclass(frozen=True)
class Cost:
    """Cycles of a plan, most bytes on chip, most multiply-accumulates in a step, and energy.

    The energy is 0 where the instance has no table of it.
    """

    duration: Fraction
    memory: int
    macs: int
    energy: Fraction


def cost(problem: Problem, plan: Plan) -> Cost:
    """Add up a valid plan's costs block by block."""
    accelerator, sizes = problem.accelerator, Sizes(problem)
    table = problem.instance.energy or Energy()
    on_chip: dict[tuple[str, Block], int] = {}
    duration, energy, memory, most_macs = Fraction(0), Fraction(0), 0, 0
    for step in range(1, plan.steps + 1):
        rows = {
            name: [tuple(row[1:]) for row in getattr(plan, name).tolist() if row[0] == step]
            for name in TABLES
        }
        for kind in KINDS:
            for block in rows.get(f"free_{kind}", []) + rows.get(f"write_{kind}", []):
                del on_chip[PLACES[kind], block]
        written = sum(sizes.of(kind, b) for kind in KINDS for b in rows.get(f"write_{kind}", []))
        loads = {
            (PLACES[kind], block): sizes.of(kind, block)
            for kind in KINDS
            for block in rows.get(f"load_{kind}", [])
        }
        on_chip |= loads
        memory = max(memory, sum(on_chip.values()))
        touched = {("outputs", (n, i, j)) for n, _, i, j in rows["compute"]}
        before = {output: on_chip.get(output, 0) for output in touched}
        for n, _, i, j in rows["compute"]:
            sizes.missing[n, i, j] -= 1
        on_chip |= {output: sizes.of(*output) for output in touched}
        growth = sum(max(before[output] - on_chip[output], 0) for output in touched)
        memory = max(memory, sum(on_chip.values()) + growth)
        duration += accelerator.load_cycles * sum(loads.values())
        duration += accelerator.write_cycles * written
        duration += accelerator.compute_cycles * bool(touched)
        duration += accelerator.mac_cycles * sum(
            int(problem.operation_macs[n, q]) for n, q, _, _ in rows["compute"]
        )
        macs = sum(int(problem.operation_macs[n, q]) for n, q, _, _ in rows["compute"])
        most_macs = max(most_macs, macs)
        energy += table.load * sum(loads.values()) + table.write * written
        energy += table.compute * bool(touched) + table.mac * macs
    return Cost(duration, memory, most_macs, energy + table.static * duration)


def fitted(problem: Problem, plan: Plan) -> Problem:
    """Return the problem with no more memory and multiply-accumulates than the plan takes."""
    least = cost(problem, plan)
    accelerator = problem.accelerator.model_copy(
        update={"memory": least.memory, "macs_per_step": least.macs}
    )
    return on_accelerator(problem, accelerator)


def strategy_of(problem: Problem, plan: Plan) -> Strategy:
    """Return the plan as a strategy, with its duration and the trivial lower bound."""
    return Strategy(
        instance=problem.resolved_instance(),
        duration=cost(problem, plan).duration,
        lower_bound=Fraction(0),
        status="feasible",
        steps=steps_of(plan),
    )
