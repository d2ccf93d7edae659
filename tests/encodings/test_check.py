"""check/ accepts every valid strategy and names the rule that a broken one breaks, by step."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import clingo.ast
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.rules import Rules, rules_in_force, shipped_rules
from offloadasp.base.errors import InputError
from offloadasp.judge import by_rules
from offloadasp.judge.by_rules import (
    RuleReading,
    Violation,
    read_by_lines,
    read_by_positions,
    read_by_rules,
)
from offloadasp.judge.simulator import RULES as NAMES
from offloadasp.model.instance import Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy
from tests.engines.mutants import (
    GAP,
    HALO,
    MUTANTS,
    ONE,
    SPILL,
    VALID,
    Edit,
    Json,
    Mutant,
    insert,
    limit,
    made,
    mutant,
    put,
    step,
)
from tests.engines.mutation import mutants
from tests.engines.overlapped import BESIDE, OVERLAPS, PIXELS, overlapped, reloading, tiny_beside
from tests.engines.plans import cost, fitted, random_plan, strategy_of
from tests.support.layers import (
    PRECISIONS,
    RATES,
    accelerator,
    layers,
    problem_with,
    splits,
    with_memory,
)

RULES = shipped_rules()


# --- Valid strategies ---


@st.composite
def planned(draw: st.DrawFn) -> tuple[Problem, Plan]:
    """A valid plan with preloading, pauses, spills and late writes, and any groups."""
    layer = draw(layers())
    rates = {name: draw(RATES) for name in ("load", "write", "compute")}
    groups = Resolved(
        tile=draw(st.sampled_from([(1, 1), (1, 1), layer.output_shape[1:]])),
        kernel_groups=draw(splits(layer.kernels)),
        channel_groups=draw(splits(layer.input[0])),
    )
    chip = accelerator(2**40, macs=2**40, **rates)
    problem = problem_with(layer, chip, draw(PRECISIONS), groups)
    return problem, random_plan(problem, draw(st.integers(0, 2**32 - 1)))


@settings(max_examples=50, deadline=None)
@given(planned())
def test_a_valid_plan_is_accepted_at_the_cost_counted_block_by_block(
    drawn: tuple[Problem, Plan],
) -> None:
    problem, plan = drawn
    counted = cost(problem, plan)
    verdict = read_by_rules(strategy_of(fitted(problem, plan), plan), RULES)
    assert verdict.violations == ()
    assert verdict.accepted
    assert (verdict.duration, verdict.counts.peak) == (counted.duration, counted.memory)
    rates = problem.accelerator
    moved = rates.load_cycles * verdict.counts.loaded + rates.write_cycles * verdict.counts.written
    assert verdict.duration == moved + rates.compute_cycles * plan.counts.actions


@settings(max_examples=30, deadline=None)
@given(planned())
def test_a_byte_less_is_too_little_memory_and_nothing_else(drawn: tuple[Problem, Plan]) -> None:
    problem, plan = drawn
    least = cost(problem, plan)
    assume(least.memory > 1)
    verdict = read_by_rules(strategy_of(with_memory(problem, least.memory - 1), plan), RULES)
    assert {(violation.rule, violation.block) for violation in verdict.violations} == {
        ("memory", "")
    }
    assert (verdict.duration, verdict.counts.peak) == (least.duration, least.memory)


@settings(max_examples=30, deadline=None)
@given(planned())
def test_a_window_less_is_too_few_multiply_accumulates_and_nothing_else(
    drawn: tuple[Problem, Plan],
) -> None:
    problem, plan = drawn
    most = cost(problem, plan).macs
    assume(most > 1)
    chip = problem.accelerator.model_copy(update={"macs_per_step": most - 1})
    problem = problem_with(problem.layer, chip, problem.precision, problem.decomposition)
    verdict = read_by_rules(strategy_of(problem, plan), RULES)
    assert {violation.rule for violation in verdict.violations} == {"macs"}
    assert [v.step for v in verdict.violations] == [
        t for t in range(1, plan.steps + 1) if macs_in(problem, plan, t) == most
    ]


def macs_in(problem: Problem, plan: Plan, step: int) -> int:
    rows = plan.compute[plan.compute[:, 0] == step]
    return int(problem.operation_macs[rows[:, 1], rows[:, 2]].sum())


@pytest.mark.parametrize("name", VALID)
def test_a_strategy_made_by_hand_is_accepted_at_the_duration_counted_by_hand(name: str) -> None:
    strategy = Strategy.model_validate(VALID[name])
    verdict = read_by_rules(strategy, RULES)
    assert verdict.accepted
    assert verdict.duration == strategy.duration


def test_a_strategy_without_a_step_computes_nothing() -> None:
    verdict = read_by_rules(Strategy.model_validate({**VALID["gap"], "steps": []}), RULES)
    assert {violation.rule for violation in verdict.violations} == {"never_computed"}
    assert (verdict.duration, verdict.counts.peak) == (Fraction(0), 0)


# --- Broken ones ---

# Beside the mutants of the simulator's tests, outputs that do not exist.
BROKEN = [
    *MUTANTS,
    mutant(HALO, "3 not_a_block", put(3, "write.outputs", [[0, 0, 1, 1, 3]])),
    mutant(HALO, "3 not_a_block", put(3, "write.outputs", [[0, 0, 2, 1, 2]])),
    mutant(SPILL, "2 not_a_block", put(2, "write.partial_sums", [[0, 0, 2, 0, 1]])),
    mutant(SPILL, "3 not_a_block", put(3, "load.partial_sums", [[0, 0, 1, 0, 3]])),
    mutant(SPILL, "3 not_a_block", put(3, "load.partial_sums", [[0, 0, 1, 0, 1], [1, 0, 1, 0, 1]])),
]
# The simulator says that the second of two writes of one block finds nothing, the rules that one of
# them writes it as what it is not.
WRITTEN_TWICE = (2, "write_absent", "output(0,0,0)")


def expectation(broken: Mutant) -> str:
    return ", ".join(" ".join(map(str, line)) for line in sorted(broken.expected))


def found(strategy: Strategy) -> set[tuple[int, str]]:
    return {(v.step, v.rule) for v in read_by_rules(strategy, RULES).violations}


@pytest.mark.parametrize("broken", BROKEN, ids=expectation)
def test_a_broken_strategy_is_refused_in_the_right_step_for_the_right_reason(
    broken: Mutant,
) -> None:
    named = found(broken.strategy)
    assert min(step for step, _ in named) == min(step for step, *_ in broken.expected)
    if broken.expected == {WRITTEN_TWICE} and len(broken.strategy.steps[1].write.outputs) == 1:
        assert (2, "write_complete_as_partial") in named
    else:
        assert named >= {(step, rule) for step, rule, *_ in broken.expected}


def test_every_rule_is_broken_by_some_strategy_and_named() -> None:
    named = {rule for broken in BROKEN for _, rule in found(broken.strategy)}
    # What a file says of itself, duration, objective and bound, is no matter of the rules.
    assert named == set(NAMES) - {"duration", "objective", "bound"}


def test_a_violation_names_the_block() -> None:
    strategy = mutant(HALO, "", put(1, "load.kernels", [])).strategy
    assert read_by_rules(strategy, RULES).violations == (
        Violation(1, "use_absent", "kernel(0,0)"),
        Violation(2, "use_absent", "kernel(0,0)"),
        Violation(3, "free_absent", "kernel(0,0)"),
    )


# --- Band by band ---


@settings(max_examples=30, deadline=None)
@given(planned(), st.sampled_from(("none", *OVERLAPS)))
def test_a_valid_plan_read_by_lines_is_read_as_by_positions(
    drawn: tuple[Problem, Plan], overlap: Literal["none", "dma", "duplex"]
) -> None:
    problem, plan = drawn
    strategy = strategy_of(fitted(problem, plan), plan)
    if overlap != "none":
        strategy = overlapped(strategy, plan, overlap, seed=len(plan.compute))
    assert read_by_lines(strategy, RULES) == read_by_positions(strategy, RULES)


@pytest.mark.parametrize("broken", BROKEN, ids=expectation)
def test_of_a_broken_strategy_the_reading_by_lines_is_in_doubt(broken: Mutant) -> None:
    assert read_by_lines(broken.strategy, RULES) is None


def test_no_mutant_is_accepted_by_lines_that_is_refused_by_positions() -> None:
    for broken in mutants(9, 1):
        by_positions = read_by_positions(broken.strategy, RULES)
        expected = by_positions if by_positions.accepted else None
        assert read_by_lines(broken.strategy, RULES) == expected, broken.kind


def test_edited_rules_are_read_by_positions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read by lines")

    strategy = Strategy.model_validate(VALID["gap"])
    expected = read_by_rules(strategy, RULES)
    monkeypatch.setattr(by_rules, "read_by_lines", never)
    rule = tmp_path / "never.lp"
    rule.write_text(":- step(T), T < 1.\n")
    edited = rules_in_force(None, [rule])
    assert edited.edited
    assert read_by_rules(strategy, edited) == expected


# --- No rule of check/ can go ---

READERS = {
    "check/boxes.lp": read_by_positions,
    "check/unpack.lp": read_by_positions,
    "check/lines.lp": read_by_lines,
    "check/replay.lp": read_by_positions,
}


@dataclass(frozen=True)
class Statement:
    """A rule of a file, and a line that keeps its head a known predicate without it."""

    file: str
    text: str
    defined: str


def statements() -> list[Statement]:
    """Every statement of check/; those that are no rules have nothing to define."""
    found: list[Statement] = []
    for file in READERS:

        def note(node: clingo.ast.AST, file: str = file) -> None:
            if node.ast_type == clingo.ast.ASTType.Rule:
                atom = node.head.atom.symbol
                defined = f"#defined {atom.name}/{len(atom.arguments)}."
                found.append(Statement(file, str(node), defined))
            elif node.ast_type == clingo.ast.ASTType.Defined:
                found.append(Statement(file, str(node), ""))

        clingo.ast.parse_files([str(RULES.folder / file)], note)
    return found


STATEMENTS = statements()
DELETED = [statement for statement in STATEMENTS if statement.defined]
NOTHING: list[list[int]] = []
LEFT, MIDDLE, LAST = [0, 0, 2, 0, 1], [0, 0, 2, 1, 2], [0, 0, 2, 2, 3]
# The rows between the outputs are used by none.
SKIPPED = made(
    {"input": [1, 4, 1], "kernels": 1, "kernel_shape": [1, 1], "strides": [3, 1]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 1], [0, 3, 4, 0, 1]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 2, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 1], [0, 3, 4, 0, 1]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 2, 0, 1]]},
        ),
    ],
    duration=15,
)

# What is computed at once is written in two steps.
TALL = made(
    {"input": [1, 3, 1], "kernels": 1, "kernel_shape": [1, 1]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 3, 0, 1]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 3, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 3, 0, 1]]},
            write={"outputs": [[0, 0, 1, 0, 1]]},
        ),
        step(free={"kernels": [[0, 0]]}, write={"outputs": [[0, 1, 3, 0, 1]]}),
    ],
    duration=17,
)

# Each of two patches leaves out the columns of the other.
DILATED = made(
    {"input": [1, 1, 4], "kernels": 1, "kernel_shape": [1, 2], "dilations": [1, 2]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 1], [0, 0, 1, 2, 3]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 1]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 1], [0, 0, 1, 2, 3]]},
            load={"pixels": [[0, 0, 1, 1, 2], [0, 0, 1, 3, 4]]},
            compute=[[0, 0, 0, 1, 1, 2]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 1, 2], [0, 0, 1, 3, 4]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 0, 2]]},
        ),
    ],
    duration=28,
)

# The first and the last patch lie in the padding.
PADDED = made(
    {"input": [1, 1, 2], "kernels": 1, "kernel_shape": [1, 1], "pads": [0, 1, 0, 1]},
    (ONE, ONE),
    [
        step(
            load={"pixels": [[0, 0, 1, 0, 2]], "kernels": [[0, 0]]},
            compute=[[0, 0, 0, 1, 0, 4]],
        ),
        step(
            free={"pixels": [[0, 0, 1, 0, 2]], "kernels": [[0, 0]]},
            write={"outputs": [[0, 0, 1, 0, 4]]},
        ),
    ],
    duration=17,
)


def pixels(*lists: list[list[int]]) -> Iterator[Edit]:
    """Put other pixels on chip in the first two steps of HALO, and off in the last two."""
    places = ((1, "load"), (2, "load"), (2, "free"), (3, "free"))
    for (at, action), boxes in zip(places, lists, strict=True):
        yield put(at, f"{action}.pixels", boxes)


def passing(valid: Json, kind: str, entry: list[int]) -> Mutant:
    """Load something besides, and free it."""
    (first, second), key = valid["steps"][:2], kind
    loaded, freed = first["load"][key], second["free"].get(key, [])
    return mutant(
        valid,
        "",
        put(1, f"load.{kind}", [*loaded, entry]),
        put(2, f"free.{kind}", [*freed, entry]),
    )


def later(valid: Json, compute: list[int]) -> Mutant:
    """Compute something once more after the first step."""
    return mutant(valid, "", insert(2, step(compute=[compute])), limit("memory", 20))


def without_rows(first: int, last: int) -> Mutant:
    """Leave out the computation of some rows of TALL, and to write them."""
    kept = [[0, a, b, 0, 1] for a, b in ((0, first), (last, 3)) if a < b]
    return mutant(
        TALL,
        "",
        put(1, "compute", [[0, *box] for box in kept]),
        put(2, "write.outputs", kept[:1]),
        put(3, "write.outputs", kept[1:]),
    )


def sweep(
    taps: int,
    *computed: list[list[int]],
    late: int = -1,
    arrival: int = 0,
    never: int = -1,
    freed: tuple[str, int] = ("", -1),
) -> Strategy:
    """Compute columns j0 to j1 - 1 of kernel group n, for each [n, j0, j1], step by step.

    One pixel comes late, after all that or in the step of its arrival, or never; or what is named
    goes in the second step already.
    """
    every = [box for boxes in computed for box in boxes]
    groups, columns = max(box[0] for box in every) + 1, max(box[2] for box in every)
    width = columns + taps - 1
    first = [[0, 0, 1, p, p + 1] for p in range(width) if p not in (late, never)]
    last = [[0, 0, 1, late, late + 1]] if late >= 0 else NOTHING
    kernels = [[n, 0] for n in range(groups)]
    early: Json = {"pixels": NOTHING, "kernels": NOTHING}
    if freed[0]:
        early[freed[0]] = [[0, 0, 1, freed[1], freed[1] + 1] if freed[0] == "pixels" else [0, 0]]
    steps = [step(compute=[[n, 0, 0, 1, a, b] for n, a, b in boxes]) for boxes in computed]
    steps[0]["load"] = {"pixels": first, "kernels": kernels}
    steps[1]["free"] = early
    left = {
        "pixels": [box for box in [*first, *last] if box not in early["pixels"]],
        "kernels": [pair for pair in kernels if pair not in early["kernels"]],
    }
    written = [[n, 0, 1, 0, columns] for n in range(groups)]
    if late >= 0 and arrival:
        steps[arrival - 1]["load"] = {"pixels": last}
    elif late >= 0:
        steps.append(step(load={"pixels": last}))
    steps += [step(free=left, write={"outputs": written})]
    layer = {"input": [1, 1, width], "kernels": groups, "kernel_shape": [1, taps]}
    split: Any = [[n, n + 1] for n in range(groups)]
    data = made(layer, (split, ONE), steps, 0)
    return mutant(data, "", limit("memory", 99), limit("macs_per_step", 99)).strategy


# What only the later of two steps reads: at its left, at its right, or far from the other.
SWEPT = [
    sweep(2, [[0, 1, 2]], [[0, 0, 1]], late=0),
    sweep(2, [[0, 0, 1]], [[0, 1, 2]], late=2),
    sweep(1, [[0, 2, 3]], [[0, 0, 1]], [[0, 1, 2]], late=0),
    sweep(1, [[0, 0, 1]], [[0, 2, 3]], [[0, 1, 2]], late=2),
    # The second cell of what the first step reads; what it reads beyond the last cell.
    sweep(1, [[0, 0, 2]], [[0, 2, 3]], late=1),
    sweep(1, [[0, 1, 3]], [[0, 0, 1]], never=2),
    # The second cell of the second stretch of a step.
    sweep(1, [[0, 0, 1], [0, 2, 4]], [[0, 1, 2]], late=3),
    # What both steps read, and the second one frees.
    sweep(2, [[0, 0, 1]], [[0, 1, 2]], freed=("pixels", 1)),
    sweep(1, [[0, 0, 1]], [[0, 1, 2]], freed=("kernels", 0)),
    # Two kernel groups in a step: one begins in the other, lies in it, or begins with it.
    sweep(1, [[0, 0, 2], [1, 1, 3]], [[0, 2, 3], [1, 0, 1]], late=2, arrival=2),
    sweep(1, [[0, 0, 3], [1, 1, 2]], [[1, 0, 1], [1, 2, 3]], late=2, arrival=2),
    sweep(1, [[0, 0, 3], [1, 0, 1]], [[1, 1, 3]], late=2, arrival=2),
]
# One and two channels, one and two kernels: what takes one byte is not what takes two.
HALVES: Any = [[0, 1], [1, 3]]
UNEQUAL = made(
    {"input": [3, 1, 1], "kernels": 3, "kernel_shape": [1, 1]},
    (HALVES, HALVES),
    [
        step(
            load={
                "pixels": [[q, 0, 1, 0, 1] for q in range(2)],
                "kernels": [[n, q] for n in range(2) for q in range(2)],
            },
            compute=[[n, q, 0, 1, 0, 1] for n in range(2) for q in range(2)],
        ),
        step(
            free={
                "pixels": [[q, 0, 1, 0, 1] for q in range(2)],
                "kernels": [[n, q] for n in range(2) for q in range(2)],
            },
            write={"outputs": [[n, 0, 1, 0, 1] for n in range(2)]},
        ),
    ],
    duration=0,
)
LONELY = [
    *SWEPT,
    mutant(UNEQUAL, "", limit("memory", 15), limit("macs_per_step", 9)).strategy,
    *map(Strategy.model_validate, (DILATED, TALL, PADDED)),
    *(
        broken.strategy
        for broken in (
            mutant(
                DILATED, "", put(1, "compute", NOTHING), put(2, "compute", [[0, 0, 0, 1, 0, 2]])
            ),
            mutant(PADDED, "", put(1, "load.pixels", NOTHING), put(2, "free.pixels", NOTHING)),
            # Pixels are never there: all, or the last column. Or they come too late: first, last.
            mutant(HALO, "", *pixels(NOTHING, NOTHING, NOTHING, NOTHING)),
            mutant(HALO, "", *pixels([[0, 0, 2, 0, 2]], NOTHING, [LEFT], [MIDDLE])),
            mutant(
                HALO,
                "",
                *pixels([MIDDLE], [LAST], NOTHING, [[0, 0, 2, 0, 3]]),
                insert(3, step(load={"pixels": [LEFT]})),
            ),
            mutant(
                HALO,
                "",
                put(2, "load.pixels", NOTHING),
                insert(3, step(load={"pixels": [LAST]})),
            ),
            mutant(HALO, "", put(1, "load.kernels", NOTHING), put(3, "free.kernels", NOTHING)),
            # What does not exist comes and goes: a channel group, a kernel, pixels of no patch.
            passing(HALO, "pixels", [1, 0, 1, 0, 1]),
            passing(HALO, "kernels", [0, 1]),
            passing(GAP, "pixels", [0, 0, 1, 1, 2]),
            passing(SKIPPED, "pixels", [0, 1, 2, 0, 1]),
            # Operations are missing at the left or at the right, or computed twice.
            mutant(HALO, "", put(1, "compute", NOTHING), put(2, "write.outputs", NOTHING)),
            mutant(GAP, "", put(1, "compute", NOTHING), put(2, "write.outputs", NOTHING)),
            mutant(HALO, "", put(2, "compute", NOTHING), put(3, "write.outputs", NOTHING)),
            # At the top, in the middle, at the bottom.
            *(without_rows(first, first + 1) for first in range(3)),
            later(HALO, [0, 0, 0, 1, 0, 1]),
            later(GAP, [0, 0, 0, 1, 1, 2]),
        )
    ),
]
# Without the rule that leaves it out, a box of 2^31 columns would be looked at cell by cell.
# What is wrong with the last ones shows in one place only.
SAMPLES = [
    *(Strategy.model_validate(data) for data in VALID.values()),
    # A step may load a kernel and do nothing else.
    mutant(
        HALO, "", insert(1, step(load={"kernels": [[0, 0]]})), put(2, "load.kernels", [])
    ).strategy,
    tiny_beside(BESIDE, 11, mac_cycles=1),
    tiny_beside([step(load=PIXELS, compute=BESIDE[1]["compute"]), *BESIDE[2:]], 11),
    *(reloading(early) for early in ("", "load", "compute")),
    *(broken.strategy for broken in BROKEN if str(2**31 - 1) not in str(broken.data["steps"])),
    *LONELY,
]


@cache
def shipped_verdict(file: str, number: int) -> object:
    return told(file, SAMPLES[number], RULES.folder)


# How many deletions in a file a sample has shown so far.
SHOWN: Counter[tuple[str, int]] = Counter()


def promising(gone: Statement) -> list[int]:
    """Return the samples; one is enough, so first come those that break a rule that is named."""

    def rank(number: int) -> tuple[bool, int, int]:
        verdict = shipped_verdict("check/replay.lp", number)
        assert isinstance(verdict, RuleReading)
        named = any(violation.rule in gone.text for violation in verdict.violations)
        return named, SHOWN[gone.file, number], number

    return sorted(range(len(SAMPLES)), key=rank, reverse=True)


def told(file: str, strategy: Strategy, folder: Path) -> object:
    """What a reading says, or why clingo refuses the rules that are left."""
    try:
        return READERS[file](strategy, Rules(folder))
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("gone", DELETED, ids=lambda gone: f"{gone.file}: {gone.text}")
def test_no_rule_of_the_check_can_go(gone: Statement, tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    shutil.copytree(RULES.folder, folder)
    left = [other.text for other in STATEMENTS if other.file == gone.file and other != gone]
    (folder / gone.file).write_text("\n".join([*left, gone.defined]), encoding="utf-8")
    for number in promising(gone):
        if told(gone.file, SAMPLES[number], folder) != shipped_verdict(gone.file, number):
            SHOWN[gone.file, number] += 1
            return
    pytest.fail("no sample shows it")
