"""Every recipe of encodings/README.md does what the text around it says."""

import re
from fractions import Fraction

import clingo
import numpy as np
import pytest

from offloadasp.asp.facts import facts
from offloadasp.base.resources import encodings_folder
from offloadasp.model.instance import Layer, Precision, Resolved
from offloadasp.model.plan import Plan
from offloadasp.model.problem import Problem
from tests.support.layers import accelerator, on_accelerator, problem_with
from tests.support.solving import Optimum, operations, solve

FOLDER = encodings_folder()
README = (FOLDER / "README.md").read_text(encoding="utf-8")
DEFINITION = ("definition.lp", "model/objective/duration.lp")
# By the last line of what is said about it.
RECIPES: dict[str, str] = dict(re.findall(r"([^\n]+)\n\n```prolog\n(.*?)```", README, re.DOTALL))
ONE = ((0, 1),)
TWO = ((0, 1), (1, 2))


def recipe(words: str) -> str:
    """The recipe whose last line of explanation holds these words."""
    (title,) = (title for title in RECIPES if words in title)
    return RECIPES[title]


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


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_is_a_rule_that_clingo_takes_without_a_word(title: str) -> None:
    messages: list[str] = []
    control = clingo.Control(logger=lambda _, text: messages.append(text))
    for name in DEFINITION:
        control.load(str(FOLDER / name))
    problem = small(Layer(input=(1, 3, 3), kernels=1, kernel_shape=(1, 1)), 100)
    control.add("base", [], facts(problem, 3) + RECIPES[title])
    control.ground([("base", [])])
    assert messages == []
    assert control.solve().satisfiable


def test_the_recipe_for_few_descriptors_limits_the_loads_after_the_first_step() -> None:
    # Two patches of four pixels each; the memory holds one of them.
    layer = Layer(input=(1, 1, 8), kernels=1, kernel_shape=(1, 4), strides=(1, 4))
    problem, rule = small(layer, 9), recipe("at most 3 pixel blocks")
    assert most_pixels_after_the_first(optimum(problem, steps=4).plan) == 4
    assert most_pixels_after_the_first(optimum(problem, rule, steps=4).plan) <= 3
    # A step that only loads is needed.
    assert solve(FOLDER, DEFINITION, problem, 3, rule) is None


def most_pixels_after_the_first(plan: Plan) -> int:
    return int(np.bincount(plan.load_pixels[:, 0])[2:].max(initial=0))


def test_the_recipe_for_output_stationary_strategies_forbids_to_spill() -> None:
    problem = small(
        Layer(input=(2, 1, 2), kernels=1, kernel_shape=(1, 1)),
        12,
        precision=Precision(weight=9, partial_sum=2),
        channel_groups=TWO,
    )
    plain, found = optimum(problem), optimum(problem, recipe("output-stationary"))
    assert len(plain.plan.write_partial_sums) > 0
    assert len(found.plan.write_partial_sums) == 0
    assert found.cost > plain.cost


def test_the_recipe_for_weight_stationary_strategies_loads_kernels_once() -> None:
    layer = Layer(input=(1, 1, 2), kernels=2, kernel_shape=(1, 1))
    problem = small(layer, 5, precision=Precision(input=3), kernel_groups=TWO)
    plain, found = optimum(problem), optimum(problem, recipe("weight-stationary"))
    assert len(plain.plan.load_kernels) > 2
    assert len(found.plan.load_kernels) == 2
    assert found.cost > plain.cost


def test_the_recipe_for_rows_in_order_computes_rows_in_order() -> None:
    problem = small(Layer(input=(1, 3, 2), kernels=1, kernel_shape=(2, 1)), 5)
    plain, found = optimum(problem), optimum(problem, recipe("before the next one begins"))
    rows = found.plan.compute[np.argsort(found.plan.compute[:, 0], kind="stable"), 3]
    assert rows.tolist() == [0, 0, 1, 1]
    assert found.cost > plain.cost


def test_the_recipe_for_double_buffering_takes_room_a_step_ahead() -> None:
    problem, rule = small(row(2), 3), recipe("memory stays as it is")
    assert optimum(problem, steps=3).cost == optimum(problem, rule, steps=4).cost
    # What the second step loads has no room beside what the first one computes with.
    assert solve(FOLDER, DEFINITION, problem, 3, rule) is None


def test_the_recipe_for_setting_up_counts_every_transfer() -> None:
    problem = small(row(2), 100)
    transfers = 2 + 1 + 2  # pixels, kernel, outputs
    plain, found = optimum(problem), optimum(problem, recipe("one rule is enough"))
    assert found.cost == plain.cost + 2 * transfers


def test_the_recipe_for_an_objective_puts_few_compute_actions_first() -> None:
    # Where a compute action costs nothing, the duration alone leaves their number open.
    problem = small(row(2), 100)
    free = problem.accelerator.model_copy(update={"compute_cycles": Fraction(0)})
    problem = on_accelerator(problem, free)
    rule = recipe("A higher number after `@` goes first")
    found = optimum(problem, rule)
    assert found.plan.counts.actions == 1
    assert found.cost == 1 + optimum(problem).cost
    two_actions = ":- #count { T : computing(T) } < 2."
    assert optimum(problem, two_actions).cost == optimum(problem).cost
    assert optimum(problem, rule + two_actions).cost == 2 + optimum(problem).cost


def test_the_recipe_for_a_what_if_computes_the_centre_first() -> None:
    problem = small(Layer(input=(1, 3, 3), kernels=1, kernel_shape=(1, 1)), 100, macs=5)
    found = optimum(problem, recipe("in the first step?"), steps=3)
    assert [1, 0, 0, 1, 1] in found.plan.compute.tolist()


def test_every_recipe_has_a_test_of_what_it_does() -> None:
    assert len(RECIPES) == 8
