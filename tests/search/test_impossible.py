"""Rules that contradict each other, or what every strategy does: for any steps, in any groups."""

from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.model.instance import Choice, Layer
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.impossible import impossible
from tests.engines import random_rules
from tests.search.test_at_once import tiny

STEPS = 6
# Files of rules, and the lines that no strategy obeys together.
CONTRADICTIONS = {
    ":- load(_, _).": [1],
    ":- compute(O, T), on_chip(B, T).": [1],
    ":- on_chip(kernel(N, Q), T), on_chip(pixel(R, C, K), T).": [1],
    ":- computing(T), on_chip(output(0, 0, N), T).": [1],
    ":- write(B, T), started(B, T'), active(T').": [1],
    "busy(T) :- load(_, T).\n:- busy(T), active(T).": [1, 2],
    "used(B) :- load(B, T).\nbad :- used(pixel(0, C, Q)), C > 1.\n:- bad.": [1, 2, 3],
    ":- not load(kernel(0, 0), 1).\n:- step(2).\n:- load(B, 1).": [1, 3],
    ":- not load(kernel(0, 0), 2).\n:- not free(kernel(0, 0), 2).": [1, 2],
    ":- not compute(op(0, 0, 0, 0), 2).\n:- not compute(op(0, 0, 0, 0), 3).": [1, 2],
    ":- not free(pixel(0, 0, 0), 1).": [1],
    ":- not load(pixel(0, 0, 0), 2), load(kernel(0, 0), T).\n:- load(B, T), T > 1.": [1, 2],
    "late(1..2).\n:- late(T), not write(output(0, 0, 0), T).\n": [1, 2],
    "#const k = 2.\n:- load(pixel(R, C, Q), T), C < k, C > 0.": [2],
}
# Rules that some strategies obey, or of which the argument understands too little.
LEFT_ALONE = [
    ":- load(B, T), T > 6.",
    ":- load(B, T), T < 1.",
    ":- load(B, T), load(B', T'), T != T'.",
    ":- load(B, T), free(B', T).",
    ":- load(B, 3).",
    ":- compute(op(0, 0, 0, 0), T), on_chip(pixel(0, 2, 0), T).",
    ":- compute(op(I, J, N, Q), T), J > 0, on_chip(pixel(0, 0, K), T).",
    ":- load(kernel(0, 1), T).",
    ":- moved(load, B, T, X), X > 100.",
    ":- occupies(B, T, X), X > 100.",
    ":- block(B, X), load(B, T), X > 100.",
    ":- on_chip(B, T), on_chip(B, T - 1), on_chip(B, T - 2), T > 9.",
    "{ pin(B) : block(B, _) } = 1.\n:- pin(B), load(B, T).",
    ":- not load(pixel(0, 0, 0), 1).",
    ":- not load(_, 1).",
    ":- load(B, T), not active(T).",
    ":- not computing(1), not computing(2).",
]


@pytest.mark.parametrize("text", [*CONTRADICTIONS, *LEFT_ALONE])
def test_what_is_impossible_no_strategy_does_in_any_groups(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rule.lp"
    path.write_text(text)
    rules = rules_in_force(None, [path])
    whole = tiny(14, "auto")
    for tile in ("auto", (1, 1)):
        choice = whole.choice.model_copy(update={"tile": tile})
        culprits = impossible(whole.model_copy(update={"decomposition": choice}), rules.edit)
        assert [one.line for one in culprits] == CONTRADICTIONS.get(text, [])
    for groups in (1, 2) if culprits else ():
        instance = tiny(14, groups)
        problem = problem_of(instance, scope(instance))
        assert random_rules.plain(problem, rules, STEPS).costs is None


def test_a_pair_of_groups_that_finer_groups_do_not_have_is_no_part_of_every_strategy(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rule.lp"
    layer = Layer(input=(2, 1, 3), kernels=2, kernel_shape=(1, 2), group=2)
    choice = Choice(tile=(1, 1), kernel_groups=2, channel_groups="auto")
    instance = tiny(14, 1).model_copy(update={"layer": layer, "decomposition": choice})
    for kernel_group, line in ((0, [1]), (1, [])):
        path.write_text(f":- compute(op(I, J, {kernel_group}, 0), T).")
        found = impossible(instance, rules_in_force(None, [path]).edit)
        assert [one.line for one in found] == line
