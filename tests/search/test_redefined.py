"""Rules that redefine a step: plans of the shipped search that they permit, or the definition."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import Rules, rules_in_force
from offloadasp.base.resources import encodings_folder
from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Accelerator, Choice, Instance, Layer, SearchOptions
from offloadasp.model.problem import CLINGO_LIMIT
from offloadasp.result import strategy_of
from offloadasp.search.edited import complete
from offloadasp.search.edited.search import EditedSearch
from offloadasp.search.effort import effort_of

MEMORY = 40


def layer(side: int) -> Instance:
    return Instance(
        name="layer",
        layer=Layer(input=(1, side, side), kernels=1, kernel_shape=(3, 3)),
        accelerator=Accelerator(
            memory=MEMORY,
            load_cycles=Fraction(1),
            write_cycles=Fraction(1),
            compute_cycles=Fraction(4),
            macs_per_step=18,
        ),
        decomposition=Choice(tile=(1, 1), kernel_groups=1, channel_groups=1),
        search=SearchOptions(threads=1),
    )


def edited_step(folder: Path, before: str, after: str) -> Rules:
    """Return the rules of a copy of the model in which a part of step.lp differs."""
    model = encodings_folder() / "model"
    for path in model.rglob("*.lp"):
        copy = folder / path.relative_to(model)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text())
    text = (folder / "step.lp").read_text()
    assert before in text
    (folder / "step.lp").write_text(text.replace(before, after))
    return rules_in_force(folder, [])


def added(folder: Path, text: str) -> Rules:
    (folder / "mine.lp").write_text(text)
    return rules_in_force(None, [folder / "mine.lp"])


@pytest.mark.parametrize(
    ("before", "after", "most", "work"),
    [
        ("memory(M), M <", "memory(M), M - 9 <", MEMORY - 9, 18),
        ("windows_per_step(X), X <", "windows_per_step(X), X - 1 <", MEMORY, 9),
    ],
)
def test_a_changed_literal_is_solved_beyond_the_reach_of_a_complete_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, most: int, work: int
) -> None:
    monkeypatch.setattr(complete, "_SMALL", 0)
    monkeypatch.setattr(complete, "GROUND_LIMIT", 0)
    rules = edited_step(tmp_path, before, after)
    instance = layer(6)
    answer = EditedSearch(instance, rules, effort_of(instance.search, 1)).run()
    found = simulate(strategy_of(answer, rules.record))
    assert found.verified
    assert answer.plan.counts.peak <= most
    assert answer.plan.counts.actions >= 16 * 9 / work
    assert answer.claims[0].lower_bound == 0


def test_a_small_layer_is_no_worse_than_its_plan_without_the_rules(tmp_path: Path) -> None:
    rules = added(tmp_path, "step(T + 1) :- step(T), T < 20.\n")
    instance = layer(4)
    answer = EditedSearch(instance, rules, effort_of(instance.search, 8)).run()
    assert answer.plan.duration == 16 + 9 + 4 + 2 * 4


def test_where_a_term_may_be_negative_no_bound_is_claimed(tmp_path: Path) -> None:
    rules = added(tmp_path, "moved(load, bonus, T, -3) :- computing(T).\n")
    search = complete.CompleteSearch(layer(4), rules, effort_of(SearchOptions(), 1))
    assert search._least(0) == -CLINGO_LIMIT
