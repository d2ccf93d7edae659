"""Rules that ask for more on chip at once than the memory holds are impossible for any steps."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import Rules, rules_in_force
from offloadasp.model.instance import Accelerator, Choice, Instance, Layer
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.at_once import at_once
from tests.engines import random_rules

STEPS = 7
PINNED = ":- free({}, T), computing(T'), T <= T'."
EARLY = ":- load({}, T), computing(T'), T' < T."
# Two patches of four of six pixels, one kernel of four bytes, two outputs: never below 9 bytes.
RULES = {
    "kernels pinned": PINNED.format("kernel(N, Q)"),
    "pixels pinned": PINNED.format("pixel(R, C, Q)"),
    "everything pinned": PINNED.format("B"),
    "outputs wait": ":- write(B, T), computing(T'), T <= T'.",
    "a step later they may go": ":- write(B, T), computing(T'), T < T'.",
    "pixels early": EARLY.format("pixel(R, C, Q)"),
    "everything early": EARLY.format("B"),
    "never both": ":- on_chip(pixel(R, C, Q), T), complete(B, T), free(kernel(N, K), T'), T < T'.",
}


def tiny(memory: int, groups: int | str) -> Instance:
    return Instance(
        name="tiny",
        layer=Layer(input=(2, 1, 3), kernels=1, kernel_shape=(1, 2)),
        accelerator=Accelerator(
            memory=memory,
            load_cycles=Fraction(1),
            write_cycles=Fraction(1),
            compute_cycles=Fraction(1),
            macs_per_step=4,
        ),
        decomposition=Choice(tile=(1, 1), kernel_groups=1, channel_groups=groups),
    )


def added(folder: Path, text: str) -> Rules:
    path = folder / "rule.lp"
    path.write_text(text)
    return rules_in_force(None, [path])


@pytest.mark.parametrize("name", RULES)
def test_what_memory_cannot_hold_no_strategy_does_in_any_groups(tmp_path: Path, name: str) -> None:
    rules = added(tmp_path, RULES[name])
    for memory in range(9, 16):
        refused = at_once(tiny(memory, "auto"), rules.edit)
        if refused is not None:
            for groups in (1, 2):
                instance = tiny(memory, groups)
                problem = problem_of(instance, scope(instance))
                assert random_rules.plain(problem, rules, STEPS).costs is None, memory


def test_what_has_to_be_there_in_the_last_step_is_added_up(tmp_path: Path) -> None:
    rules = added(tmp_path, RULES["everything pinned"] + RULES["outputs wait"])
    # Six pixels, four bytes of kernel, two outputs.
    assert at_once(tiny(12, "auto"), rules.edit) is None
    refused = at_once(tiny(11, "auto"), rules.edit)
    assert refused is not None
    assert refused.which == "last"
    assert [one.line for one in refused.statements] == [1, 1]


def test_only_the_rules_that_are_needed_are_named(tmp_path: Path) -> None:
    lines = [RULES["a step later they may go"], RULES["everything early"], RULES["pixels early"]]
    refused = at_once(tiny(9, "auto"), added(tmp_path, "\n".join(lines)).edit)
    assert refused is not None
    assert refused.which == "first"
    assert [one.line for one in refused.statements] == [2]


@pytest.mark.parametrize(
    "rule",
    [
        ":- free(kernel(0, Q), T), computing(T'), T <= T'.",
        ":- free(B, T), computing(T'), T <= T' + 1.",
        ":- free(B, T), computing(T'), T <= T', T > 2.",
        ":- free(B, T), load(B, T'), T <= T'.",
        ":- free(B, T), not computing(T), step(T).",
        "busy(T) :- computing(T). :- free(B, T), busy(T'), T <= T'.",
    ],
)
def test_a_rule_that_says_more_than_the_argument_understands_is_left_alone(
    tmp_path: Path, rule: str
) -> None:
    assert at_once(tiny(9, "auto"), added(tmp_path, rule).edit) is None
