"""Every file of encodings/examples does what it says, with plain clingo and with offload-asp."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import clingo
import numpy as np
import pytest

from offloadasp.asp.facts import facts
from offloadasp.base.resources import encodings_folder
from offloadasp.model.instance import Energy, Layer, Precision, Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Strategy, load, plan_of
from tests.engines import exhaustive
from tests.engines.mutants import VALID
from tests.support.invoking import offload_asp
from tests.support.layers import accelerator, problem_with
from tests.support.solving import Optimum, operations, solve

FOLDER = encodings_folder()
TINY = "examples/tiny.facts.lp"
DEFINITION = ("definition.lp", "model/objective/duration.lp")
EXAMPLES: dict[str, str] = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((FOLDER / "examples").glob("*.lp"))
    if path.name != "tiny.facts.lp"
}
# Plain clingo needs a few seconds for a proof; by unsatisfiable cores it is done at once.
SOON = ("--opt-strategy=usc,oll,disjoint",)
# The least cost of the tiny layer with each example beside the definition and the duration. Without
# an example it is 46.
COSTS = {
    "double-buffering": (46,),
    "dma-queue": (46,),
    "few-loads": (46,),
    "few-rows": (46,),
    "few-steps": (4, 46),
    "first-row": (50,),
    "output-stationary": (50,),
    "rows-in-order": (50,),
    "setup-cost": (46 + 2 * 14,),  # eight pixel blocks, two kernel blocks, two outputs, one spill
    "weight-stationary": (46,),
    "what-if": (50,),
    "write-apart": (46,),
}
# The two kernel blocks of the tiny layer together take more than its memory.
IMPOSSIBLE = {"kernels-pinned"}
ONE = ((0, 1),)
TWO = ((0, 1), (1, 2))


def small(
    layer: Layer,
    memory: int,
    macs: int = 100,
    precision: Precision | None = None,
    channel_groups: tuple[tuple[int, int], ...] = ONE,
    kernel_groups: tuple[tuple[int, int], ...] = ONE,
) -> Problem:
    resolved = Resolved(kernel_groups=kernel_groups, channel_groups=channel_groups)
    return problem_with(layer, accelerator(memory, macs=macs), precision or Precision(), resolved)


def row(width: int, kernel_width: int = 1) -> Layer:
    """A layer of one row."""
    return Layer(input=(1, 1, width), kernels=1, kernel_shape=(1, kernel_width))


def optimum(problem: Problem, rule: str = "", steps: int | None = None) -> Optimum:
    found = solve(FOLDER, DEFINITION, problem, steps or operations(problem) + 1, rule)
    assert found is not None
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_rule_that_clingo_takes_without_a_word(name: str) -> None:
    messages: list[str] = []
    control = clingo.Control(["--opt-mode=ignore"], logger=lambda _, text: messages.append(text))
    for file in (TINY, *DEFINITION, f"examples/{name}.lp"):
        control.load(str(FOLDER / file))
    control.ground([("base", [])])
    assert messages == []
    assert control.solve().satisfiable == (name not in IMPOSSIBLE)


@pytest.mark.parametrize("name", ["", *(name for name in EXAMPLES if name not in IMPOSSIBLE)])
def test_the_commands_of_the_guide_find_the_cost_of_the_tiny_layer(name: str) -> None:
    more = [f"examples/{name}.lp"] if name else []
    files = [TINY, "model/definition.lp", "model/objective/duration.lp", *more]
    ran = subprocess.run(
        [sys.executable, "-m", "clingo", *files, "--quiet=2", *SOON],
        cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.stderr == ""
    assert "OPTIMUM FOUND" in ran.stdout
    found = re.findall(r"^Optimization : ([\d ]+)", ran.stdout, re.MULTILINE)
    assert tuple(map(int, found[-1].split())) == COSTS.get(name, (46,))


def test_clingo_finds_the_least_energy_of_the_tiny_layer() -> None:
    layer = Layer(input=(2, 4, 1), kernels=1, kernel_shape=(2, 1), strides=(2, 1))
    tiny = problem_with(
        layer,
        accelerator(17, compute=2, macs=2),
        Precision(weight=5, output=2, partial_sum=3),
        Resolved(kernel_groups=ONE, channel_groups=TWO),
        energy=Energy(load=Fraction(6), write=Fraction(7), compute=Fraction(3)),
    )
    control = clingo.Control([*SOON])
    for file in (TINY, "model/definition.lp", "model/objective/energy.lp"):
        control.load(str(FOLDER / file))
    control.ground([("base", [])])
    costs: list[list[int]] = []
    control.solve(on_model=lambda model: costs.append(list(model.cost)))
    assert exhaustive.optimum(tiny, ["energy"]) == tuple(map(Fraction, costs[-1]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_offload_asp_runs_an_example_and_the_plan_obeys_it(name: str, tmp_path: Path) -> None:
    rule = FOLDER / "examples" / f"{name}.lp"
    options: list[str | Path] = ["--budget", "4", "--threads", "1", "--out", tmp_path, "--json"]
    ran = offload_asp("run", "tiny-3x3", "--encoding", rule, *options)
    assert ran.code == 0
    assert ran.json["edited"] is True
    assert ran.json["verified"] is True
    assert is_a_model(load(tmp_path / "tiny-3x3.strategy.json"), EXAMPLES[name])


def is_a_model(strategy: Strategy, rule: str) -> bool:
    """Whether some stable model of the definition with a rule has the actions of a strategy."""
    plan = plan_of(strategy)
    given = [
        *(f"given(compute, op({i}, {j}, {n}, {q}), {t})." for t, n, q, i, j in plan.compute),
        *(f"given(load, pixel({r}, {c}, {q}), {t})." for t, q, r, c in plan.load_pixels),
        *(f"given(free, pixel({r}, {c}, {q}), {t})." for t, q, r, c in plan.free_pixels),
        *(f"given(load, kernel({n}, {q}), {t})." for t, n, q in plan.load_kernels),
        *(f"given(free, kernel({n}, {q}), {t})." for t, n, q in plan.free_kernels),
        *(f"given(write, output({i}, {j}, {n}), {t})." for t, n, i, j in plan.write_outputs),
    ]
    assert len(plan.write_partial_sums) == 0
    same = [
        rule_
        for action in ("compute", "load", "free", "write")
        for rule_ in (
            f":- {action}(X, T), not given({action}, X, T).",
            f":- given({action}, X, T), not {action}(X, T).",
        )
    ]
    control = clingo.Control(["--warn=none"])
    for file in DEFINITION:
        control.load(str(FOLDER / file))
    problem = strategy.problem
    control.add("base", [], "\n".join([facts(problem, plan.steps), *given, *same, rule]))
    control.ground([("base", [])])
    return bool(control.solve().satisfiable)


def test_a_plan_that_breaks_an_example_is_no_model_with_it() -> None:
    strategy = Strategy.model_validate(VALID["halo"])
    assert is_a_model(strategy, "")
    assert not is_a_model(strategy, ":- load(pixel(_, _, _), _).")


def test_the_example_for_few_descriptors_limits_the_loads_after_the_first_step() -> None:
    # Two patches of four pixels each; the memory holds one of them.
    layer = Layer(input=(1, 1, 8), kernels=1, kernel_shape=(1, 4), strides=(1, 4))
    problem, rule = small(layer, 9), EXAMPLES["few-loads"]
    assert most_pixels_after_the_first(optimum(problem, steps=4).plan) == 4
    assert most_pixels_after_the_first(optimum(problem, rule, steps=4).plan) <= 3
    # A step that only loads is needed.
    assert solve(FOLDER, DEFINITION, problem, 3, rule) is None


def most_pixels_after_the_first(plan: Plan) -> int:
    return int(np.bincount(plan.load_pixels[:, 0])[2:].max(initial=0))


def test_the_example_for_output_stationary_strategies_forbids_to_spill() -> None:
    problem = small(
        Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1)),
        12,
        precision=Precision(weight=9, partial_sum=2),
        channel_groups=TWO,
    )
    plain, found = optimum(problem), optimum(problem, EXAMPLES["output-stationary"])
    assert len(plain.plan.write_partial_sums) > 0
    assert len(found.plan.write_partial_sums) == 0
    assert found.cost > plain.cost


def test_the_example_for_weight_stationary_strategies_loads_kernels_once() -> None:
    layer = Layer(input=(1, 1, 2), kernels=2, kernel_shape=(1, 1))
    problem = small(layer, 5, precision=Precision(input=3), kernel_groups=TWO)
    plain, found = optimum(problem), optimum(problem, EXAMPLES["weight-stationary"])
    assert len(plain.plan.load_kernels) > 2
    assert len(found.plan.load_kernels) == 2
    assert found.cost > plain.cost


def test_the_example_for_rows_in_order_computes_rows_in_order() -> None:
    problem = small(Layer(input=(1, 3, 2), kernels=1, kernel_shape=(2, 1)), 5)
    plain, found = optimum(problem), optimum(problem, EXAMPLES["rows-in-order"])
    rows = found.plan.compute[np.argsort(found.plan.compute[:, 0], kind="stable"), 3]
    assert rows.tolist() == [0, 0, 1, 1]
    assert found.cost > plain.cost


def test_the_example_for_double_buffering_takes_room_a_step_ahead() -> None:
    problem, rule = small(row(2), 3), EXAMPLES["double-buffering"]
    assert optimum(problem, steps=3).cost == optimum(problem, rule, steps=4).cost
    # What the second step loads has no room beside what the first one computes with.
    assert solve(FOLDER, DEFINITION, problem, 3, rule) is None


def test_the_example_for_setting_up_counts_every_transfer() -> None:
    problem = small(row(2), 100)
    transfers = 2 + 1 + 2  # pixels, kernel, outputs
    plain, found = optimum(problem), optimum(problem, EXAMPLES["setup-cost"])
    assert found.cost == plain.cost + 2 * transfers


def test_the_example_for_an_objective_puts_few_compute_actions_first() -> None:
    # Where a compute action costs nothing, the duration alone leaves their number open.
    problem = small(row(2), 100)
    free = problem.accelerator.model_copy(update={"compute_cycles": Fraction(0)})
    problem = problem_with(problem.layer, free, problem.precision, problem.decomposition)
    rule = EXAMPLES["few-steps"]
    found = optimum(problem, rule)
    assert found.plan.counts.actions == 1
    assert found.cost == 1 + optimum(problem).cost
    two_actions = ":- #count { T : computing(T) } < 2."
    assert optimum(problem, two_actions).cost == optimum(problem).cost
    assert optimum(problem, rule + two_actions).cost == 2 + optimum(problem).cost


def test_the_example_for_a_what_if_completes_the_first_output_early() -> None:
    problem = small(
        Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1)),
        12,
        precision=Precision(weight=9, partial_sum=2),
        channel_groups=TWO,
    )
    plain, found = optimum(problem), optimum(problem, EXAMPLES["what-if"])
    first = found.plan.compute[(found.plan.compute[:, 3:] == 0).all(axis=1), 0]
    assert first.max() <= 2
    assert found.cost > plain.cost


def test_every_example_has_a_cost() -> None:
    assert COSTS.keys() | IMPOSSIBLE == EXAMPLES.keys()
    assert len(EXAMPLES) >= 8
