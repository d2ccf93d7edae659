"""step.lp is the definition: complete, without a rule too many, and lean.lp loses no optimum."""

import shutil
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import clingo.ast
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import scale_of
from offloadasp.asp.rules import shipped_rules
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.problem import Problem
from tests.engines.exhaustive import optimal_duration
from tests.support.layers import (
    PRECISIONS,
    RATES,
    accelerator,
    least_memory,
    problem_with,
    splits,
    strategy_of,
    with_memory,
)
from tests.support.solving import Optimum, operations, solve

RULES = shipped_rules()
DEFINITION = ("definition.lp", "model/objective/duration.lp")
LEAN = ("solve.lp",)


def problem(
    layer: Layer,
    memory: int,
    *,
    kernel_groups: tuple[tuple[int, int], ...] = ((0, 1),),
    channel_groups: tuple[tuple[int, int], ...] = ((0, 1),),
    tile: tuple[int, int] = (1, 1),
    precision: Precision | None = None,
    macs: int = 1000,
    rates: tuple[int, int, int] = (1, 1, 1),
) -> Problem:
    return problem_with(
        layer,
        accelerator(memory, *rates, macs),
        precision or Precision(),
        Resolved(tile=tile, kernel_groups=kernel_groups, channel_groups=channel_groups),
    )


ONE_TAP = Layer(input=(1, 1, 2), kernels=1, kernel_shape=(1, 1))
TWO_KERNELS = Layer(input=(1, 1, 2), kernels=2, kernel_shape=(1, 1))
TWO_CHANNELS = Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1))
ONE_OUTPUT = Layer(input=(2, 1, 1), kernels=1, kernel_shape=(1, 1))
TWO = ((0, 1), (1, 2))
HEAVY = Precision(weight=9, partial_sum=2)  # a kernel is worth a spill and a reload

TINY = {
    "patches that overlap": problem(
        Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 2)), 5, macs=2
    ),
    "a memory for two patches": problem(
        Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 2)), 8, macs=4
    ),
    "a 2 x 2 output": problem(Layer(input=(1, 3, 3), kernels=1, kernel_shape=(2, 2)), 9, macs=4),
    "two kernel groups": problem(TWO_KERNELS, 3, kernel_groups=TWO),
    "two kernel groups, both fit": problem(TWO_KERNELS, 5, kernel_groups=TWO),
    "partial sums stay": problem(TWO_CHANNELS, 8, channel_groups=TWO),
    "partial sums are spilled": problem(TWO_CHANNELS, 12, channel_groups=TWO, precision=HEAVY),
    "both kinds of groups": problem(
        Layer(input=(2, 1, 1), kernels=2, kernel_shape=(1, 1)),
        7,
        kernel_groups=TWO,
        channel_groups=TWO,
    ),
    "tiles of two rows": problem(
        Layer(input=(1, 3, 2), kernels=1, kernel_shape=(2, 1)), 8, tile=(2, 1), macs=4
    ),
    "tiles of two rows, channel groups": problem(
        Layer(input=(2, 2, 2), kernels=1, kernel_shape=(1, 1)),
        15,
        tile=(2, 1),
        channel_groups=TWO,
        precision=HEAVY,
    ),
    "stride 2": problem(
        Layer(input=(1, 1, 7), kernels=1, kernel_shape=(1, 3), strides=(1, 2)), 8, macs=3
    ),
    "a stride beyond the kernel": problem(
        Layer(input=(1, 1, 7), kernels=1, kernel_shape=(1, 2), strides=(1, 3)), 5
    ),
    "padding": problem(
        Layer(input=(1, 2, 2), kernels=1, kernel_shape=(3, 3), pads=(1, 1, 1, 1)), 14, macs=9
    ),
    "padding without a pixel": problem(
        Layer(input=(1, 1, 1), kernels=1, kernel_shape=(1, 1), pads=(0, 1, 0, 1)), 3
    ),
    "depthwise": problem(
        Layer(input=(2, 1, 2), kernels=2, kernel_shape=(1, 1), group=2),
        3,
        kernel_groups=TWO,
        channel_groups=TWO,
    ),
    "a bias": problem(
        Layer(input=(2, 1, 1), kernels=1, kernel_shape=(1, 1), bias=True), 10, channel_groups=TWO
    ),
    "too little memory": problem(ONE_TAP, 2),
}


def optimum(files: tuple[str, ...], drawn: Problem, more_steps: int = 0) -> Optimum | None:
    # Every compute action computes something, and one step more writes back the last output.
    return solve(RULES.folder, files, drawn, operations(drawn) + 1 + more_steps)


def oracle(drawn: Problem) -> int | None:
    """The optimum by a search without clingo, in units of the rules."""
    duration = optimal_duration(drawn)
    if duration is None:
        return None
    cost: Fraction = duration / scale_of(drawn).unit
    assert cost.denominator == 1
    return int(cost)


def has_oracle(drawn: Problem) -> bool:
    """Whether the search without clingo applies: it moves all partial sums of a tile together."""
    return drawn.decomposition.tile == (1, 1) or len(drawn.decomposition.channel_groups) == 1


def cost(found: Optimum | None) -> int | None:
    return None if found is None else found.cost


@pytest.mark.parametrize("name", TINY)
def test_the_definition_and_the_lean_rules_have_the_optimum_of_an_exhaustive_search(
    name: str,
) -> None:
    drawn = TINY[name]
    defined, lean = optimum(DEFINITION, drawn), optimum(LEAN, drawn)
    assert cost(defined) == cost(lean)
    assert not has_oracle(drawn) or cost(defined) == oracle(drawn)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("files", [DEFINITION, LEAN])
def test_an_optimal_model_is_a_strategy_that_the_checking_rules_accept(
    files: tuple[str, ...], name: str
) -> None:
    drawn = TINY[name]
    found = optimum(files, drawn)
    assert (found is None) == (name == "too little memory")
    if found is not None:
        verdict = read_by_rules(strategy_of(drawn, found.plan), RULES)
        assert verdict.violations == ()
        assert verdict.duration == found.cost * scale_of(drawn).unit


@pytest.mark.parametrize("name", ["partial sums are spilled", "tiles of two rows, channel groups"])
def test_partial_sums_are_spilled_where_that_is_the_optimum(name: str) -> None:
    found = optimum(DEFINITION, TINY[name])
    assert found is not None
    assert len(found.plan.write_partial_sums) == len(found.plan.load_partial_sums) > 0


@pytest.mark.parametrize("name", ["patches that overlap", "partial sums are spilled", "padding"])
def test_more_steps_than_operations_and_one_never_help(name: str) -> None:
    drawn = TINY[name]
    assert cost(optimum(DEFINITION, drawn)) == cost(optimum(DEFINITION, drawn, more_steps=1))


# Kernel shapes and strides.
PATCHES = [
    ((1, 1), (1, 1)),
    ((1, 2), (1, 1)),
    ((2, 1), (1, 2)),
    ((1, 3), (1, 2)),
    ((2, 2), (1, 1)),
]


@st.composite
def tiny_problems(draw: st.DrawFn) -> Problem:
    """At most four operations, eight input blocks and four output blocks, in little memory."""
    kernel_shape, strides = draw(st.sampled_from(PATCHES))
    out = draw(st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (1, 4), (2, 2)]))
    pads = draw(st.tuples(*[st.integers(0, 1)] * 4))
    height, width = (
        max(1, (out[a] - 1) * strides[a] + kernel_shape[a] - pads[a] - pads[2 + a]) for a in (0, 1)
    )
    group = draw(st.sampled_from([1, 1, 1, 2]))
    channels, kernels = (group * draw(st.sampled_from([1, 1, 2])) for _ in range(2))
    layer = Layer(
        input=(channels, height, width),
        kernels=kernels,
        kernel_shape=kernel_shape,
        strides=strides,
        pads=pads,
        group=group,
        bias=draw(st.booleans()),
    )
    _, rows, columns = layer.output_shape
    tile = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2)]))
    chip = accelerator(10**6, draw(RATES), draw(RATES), draw(RATES))
    decomposition = Resolved(
        tile=(min(tile[0], rows), min(tile[1], columns)),
        kernel_groups=draw(splits(kernels)),
        channel_groups=draw(splits(channels)),
    )
    drawn = problem_with(layer, chip, draw(PRECISIONS), decomposition)
    assume(operations(drawn) <= 4)
    assume(drawn.used.sum() * drawn.exists.shape[1] + drawn.exists.count <= 8)
    assume(drawn.positions * drawn.exists.shape[0] <= 4)
    largest = int(drawn.operation_macs.max()) * tile[0] * tile[1]
    chip = chip.model_copy(update={"macs_per_step": largest * draw(st.integers(1, 3))})
    memory = max(1, least_memory(drawn) + draw(st.integers(-2, 8)))
    return with_memory(problem_with(layer, chip, drawn.precision, decomposition), memory)


@settings(max_examples=50, deadline=None)
@given(tiny_problems())
def test_lean_rules_lose_no_optimum(drawn: Problem) -> None:
    defined, lean = optimum(DEFINITION, drawn), optimum(LEAN, drawn)
    assert cost(defined) == cost(lean)
    assert not has_oracle(drawn) or cost(lean) == oracle(drawn)
    for found in (defined, lean):
        if found is not None:
            verdict = read_by_rules(strategy_of(drawn, found.plan), RULES)
            assert verdict.violations == ()
            assert verdict.duration == found.cost * scale_of(drawn).unit


# --- No rule of step.lp can go ---


@dataclass(frozen=True)
class Probe:
    """A problem, and rules that ask for something the optimum alone does not show."""

    problem: Problem
    steps: int
    more: str = ""


FIRST, SECOND = "op(0, 0, 0, 0)", "op(0, 1, 0, 0)"
IN_TURN = f":- not compute({FIRST}, 1). :- not compute({SECOND}, 3)."
LARGE = problem(ONE_TAP, 100)
PROBES = {
    "one output at a time": Probe(problem(ONE_TAP, 3, precision=Precision(output=2)), 3),
    "too little memory for a complete output": Probe(TINY["too little memory"], 3),
    "one operation a step": Probe(problem(ONE_TAP, 100, macs=1), 3),
    "spilling": Probe(TINY["partial sums are spilled"], 5),
    "partial sums of another size": Probe(problem(ONE_OUTPUT, 100, channel_groups=TWO, macs=1), 3),
    "too little memory to complete a partial sum": Probe(
        problem(
            Layer(input=(3, 1, 1), kernels=1, kernel_shape=(1, 1)),
            4,
            channel_groups=((0, 1), (1, 3)),
            precision=Precision(output=3, partial_sum=1),
        ),
        3,
    ),
    "too little memory for the partial sums that a step completes": Probe(
        problem(
            Layer(input=(3, 1, 1), kernels=1, kernel_shape=(1, 1)),
            6,
            channel_groups=((0, 1), (1, 3)),
            precision=Precision(output=1, partial_sum=3),
        ),
        3,
    ),
    "a complete output comes back": Probe(LARGE, 4, ":- not load(output(0, 0, 0), 3)."),
    "a complete output stays, but does not fit": Probe(
        problem(ONE_TAP, 3),
        4,
        f":- not compute({FIRST}, 1). :- not compute({SECOND}, 2). :- write(output(0, 0, 0), 2).",
    ),
    "a complete output stays, and fits": Probe(
        problem(ONE_TAP, 4),
        4,
        f":- not compute({FIRST}, 1). :- not compute({SECOND}, 2). :- write(output(0, 0, 0), 2).",
    ),
    "a partial sum stays where a complete output would not fit": Probe(
        problem(TWO_CHANNELS, 8, channel_groups=TWO, precision=Precision(output=5, partial_sum=1)),
        5,
    ),
    "a step that only computes": Probe(
        problem(ONE_OUTPUT, 100, channel_groups=TWO, macs=1), 3, ":- load(_, 2). :- free(_, 2)."
    ),
    "a step that only loads": Probe(LARGE, 4, ":- computing(1)."),
    "a step that only frees": Probe(
        LARGE, 4, IN_TURN + ":- computing(2). :- load(_, 2). :- write(_, 2)."
    ),
    "a step that only writes": Probe(
        LARGE, 4, IN_TURN + ":- computing(2). :- load(_, 2). :- free(_, 2)."
    ),
    "a step that does nothing": Probe(
        LARGE, 4, IN_TURN + ":- computing(2). :- load(_, 2). :- free(_, 2). :- write(_, 2)."
    ),
}
IMPOSSIBLE = {
    "one output at a time",
    "too little memory for a complete output",
    "too little memory to complete a partial sum",
    "too little memory for the partial sums that a step completes",
    "a complete output comes back",
    "a complete output stays, but does not fit",
    "a step that does nothing",
}


def rules_of(path: Path) -> list[str]:
    found: list[str] = []

    def note(node: clingo.ast.AST) -> None:
        if node.ast_type in (clingo.ast.ASTType.Rule, clingo.ast.ASTType.Minimize):
            found.append(str(node))

    clingo.ast.parse_files([str(path)], note)
    return found


STATEMENTS = rules_of(RULES.folder / "model/step.lp")


def outcome(folder: Path, probe: Probe) -> tuple[int | None, bool]:
    """Least cost, None if there is no strategy, and whether the shipped check.lp accepts it."""
    found = solve(folder, DEFINITION, probe.problem, probe.steps, probe.more)
    if found is None:
        return None, True
    return found.cost, read_by_rules(strategy_of(probe.problem, found.plan), RULES).accepted


@cache
def shipped_outcome(name: str) -> tuple[int | None, bool]:
    return outcome(RULES.folder, PROBES[name])


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_finds_what_it_asks_for(name: str) -> None:
    least, accepted = shipped_outcome(name)
    assert accepted
    assert (least is None) == (name in IMPOSSIBLE)


@pytest.mark.parametrize("deleted", range(len(STATEMENTS)), ids=lambda k: STATEMENTS[k])
def test_no_rule_of_a_step_can_go(deleted: int, tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    shutil.copytree(RULES.folder, folder)
    left = [text for k, text in enumerate(STATEMENTS) if k != deleted]
    (folder / "model/step.lp").write_text("\n".join(left), encoding="utf-8")
    changed = (outcome(folder, probe) != shipped_outcome(name) for name, probe in PROBES.items())
    assert any(changed), f"without it nothing changes: {STATEMENTS[deleted]}"


def test_the_rules_parsed_and_written_again_change_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    shutil.copytree(RULES.folder, folder)
    (folder / "model/step.lp").write_text("\n".join(STATEMENTS), encoding="utf-8")
    for name, probe in PROBES.items():
        assert outcome(folder, probe) == shipped_outcome(name)
