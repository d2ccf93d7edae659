"""Limits below what every strategy takes are impossible to keep, for any number of steps."""

from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.bounds import lower_bound
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.unaffordable import unaffordable
from tests.engines.random_rules import plain, tiny

# A layer of six pixels, one kernel of four bytes and two outputs, each computed in a step of its
# own: 12 bytes, a cycle for each. The least that a sum can be, by hand.
LEAST = {
    "#count {{ B, T : load(B, T) }} > {}": 6 + 1,
    "#count {{ R, C, Q : load(pixel(R, C, Q), T) }} > {}": 6,
    "#count {{ T : computing(T) }} > {}": 2,
    "#sum {{ 3, T : step(T), computing(T); 2, O : compute(O, T) }} > {}": 3 * 2 + 2 * 2,
    "#sum {{ X, B, T : moved(A, B, T, X) }} > {}": 12,
    "#sum {{ X, A, T, B : cost(A, T, B, X) }} > {}": 12,
    "{} < #sum+ {{ X, B, T, A : cost(A, T, B, X) }}": 12,
}


def found(folder: Path, text: str) -> bool:
    path = folder / "limit.lp"
    path.write_text(f":- {text}.")
    instance = tiny(0)
    problem = problem_of(instance, scope(instance))
    bound = lower_bound(problem.within(problem.memory))
    edit = rules_in_force(None, [path]).edit
    return unaffordable(instance, edit, lambda: bound.certificate) is not None


@pytest.mark.parametrize("text", LEAST)
def test_a_limit_is_refused_as_soon_as_no_strategy_keeps_it(tmp_path: Path, text: str) -> None:
    least = LEAST[text]
    assert found(tmp_path, text.format(least - 1))
    under = rules_in_force(None, [tmp_path / "limit.lp"])
    instance = tiny(0)
    assert plain(problem_of(instance, scope(instance)), under, 4).costs is None
    assert not found(tmp_path, text.format(least))
    assert found(tmp_path, text.format(least).replace(">", ">=").replace("<", "<="))


@pytest.mark.parametrize(
    "text",
    [
        "#count { T : load(B, T) } > 1",
        "#count { B, T : load(B, T), T > 3 } > 1",
        "#count { B : load(B, T); B : free(B, T) } > 7",
        "#count { B : load(B, T) } < 1",
        "#count { B : load(B, T) } != 1",
        "not #count { B : load(B, T) } > 1",
        "#max { 9, B : load(B, T) } > 1",
        "#sum { 9, B : load(B, T); -9, B : free(B, T) } > 1",
        "#sum { X, A, T : cost(A, T, B, X) } > 1",
        "#sum { X, A, T, B : cost(A, T, B, X), T > 1 } > 1",
        "step(T), #count { B : load(B, T) } > 5",
        "#count { B : load(B, 1) } > 5",
    ],
)
def test_a_limit_on_anything_else_is_left_alone(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text)


def test_a_cost_that_may_be_negative_may_keep_any_deadline(tmp_path: Path) -> None:
    deadline = "#sum { X, A, T, B : cost(A, T, B, X) } > 1"
    assert found(tmp_path, deadline)
    assert not found(tmp_path, f"{deadline}. cost(bonus, T, all, -9) :- computing(T)")
