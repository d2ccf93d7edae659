"""check/ accepts every valid strategy and names the rule that a broken one breaks, by step."""

import shutil
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import clingo.ast
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.rules import Rules, shipped_rules
from offloadasp.judge.by_rules import Violation, read_by_rules
from offloadasp.judge.simulator import RULES as NAMES
from offloadasp.model.instance import Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy
from tests.engines.mutants import HALO, MUTANTS, SPILL, VALID, Mutant, insert, mutant, put, step
from tests.engines.overlapped import BESIDE, PIXELS, reloading, tiny_beside
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


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=60, deadline=None)
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


# --- No rule of check/ can go ---


@dataclass(frozen=True)
class Statement:
    """A rule of a file, and a line that keeps its head a known predicate without it."""

    file: str
    text: str
    defined: str


def statements() -> list[Statement]:
    rules: list[Statement] = []
    for file in ("check/unpack.lp", "check/replay.lp"):

        def note(node: clingo.ast.AST, file: str = file) -> None:
            if node.ast_type == clingo.ast.ASTType.Rule:
                atom = node.head.atom.symbol
                defined = f"#defined {atom.name}/{len(atom.arguments)}."
                rules.append(Statement(file, str(node), defined))

        clingo.ast.parse_files([str(RULES.folder / file)], note)
    return rules


STATEMENTS = statements()
# Without the rule that leaves it out, a box of 2^31 columns would be looked at cell by cell.
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
]


@cache
def verdicts(folder: Path) -> list[object]:
    return [read_by_rules(strategy, Rules(folder)) for strategy in SAMPLES]


@pytest.mark.parametrize("deleted", range(len(STATEMENTS)), ids=lambda k: STATEMENTS[k].text)
def test_no_rule_of_the_check_can_go(deleted: int, tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    shutil.copytree(RULES.folder, folder)
    gone = STATEMENTS[deleted]
    left = [rule.text for rule in STATEMENTS if rule.file == gone.file and rule != gone]
    defined = ["#defined box/8.", "#defined entry/4.", "#defined overlap/1.", gone.defined]
    (folder / gone.file).write_text("\n".join(left + defined), encoding="utf-8")
    pairs = zip(SAMPLES, verdicts(RULES.folder), strict=True)
    assert any(read_by_rules(strategy, Rules(folder)) != verdict for strategy, verdict in pairs)
