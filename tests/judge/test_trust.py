"""Samples of the trials that scripts/bench runs at length: mutants, deletions, fuzz, signals."""

import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli import SUITES
from offloadasp.asp.rules import shipped_rules
from tests.engines import deletion, fuzzing, interruption, model_mutants, mutation
from tests.support.invoking import PATIENCE

RULES = shipped_rules()
# Layers whose mutants are judged here; the suite of the bench takes all of them, and more of each.
SAMPLED = tuple(mutation.LAYERS)[::13]


# --- Mutants ---


@pytest.mark.parametrize("number", SAMPLED)
def test_every_mutant_is_refused_at_the_right_step_for_the_right_reason(number: int) -> None:
    judged = [(m.kind, mutation.judge(m, RULES)) for m in mutation.mutants(number, 1)]
    assert [(kind, j.complaint) for kind, j in judged if j.complaint] == []
    assert sum(j.outcome == "refused" for _, j in judged) > 40


@pytest.mark.parametrize("number", mutation.LAYERS[::5])
def test_the_strategies_that_are_broken_are_valid_before(number: int) -> None:
    for strategy in mutation.valid(number):
        unchanged = mutation.Mutant("unchanged", strategy)
        assert mutation.judge(unchanged, RULES) == mutation.Judgement("equivalent")


def test_the_layers_are_of_every_kind() -> None:
    drawn = [mutation.layer_of(number) for number in mutation.LAYERS]
    layers = [one.layer for one in drawn]
    assert len(set(layers)) >= 30
    assert any(layer.group > 1 for layer in layers)
    assert any(layer.strides != (1, 1) for layer in layers)
    assert any(any(layer.pads) for layer in layers)
    assert any(layer.dilations != (1, 1) for layer in layers)
    assert any(layer.bias for layer in layers)
    assert any(len(one.kernel_sizes) > 1 for one in drawn)
    strategies = [s for number in SAMPLED for s in mutation.valid(number)]
    assert any(step.write.partial_sums for s in strategies for step in s.steps)
    kinds = set().union(*map(mutation.kinds_of, SAMPLED))
    for verb in ("drop", "duplicate", "move", "early", "late", "shift a bound of"):
        assert {f"{verb} {name}" for name in mutation.LISTS} <= kinds
    assert {"one less memory", "swap steps", "drop a step", "state a false bound"} <= kinds


# --- Deletions ---


@pytest.mark.parametrize("number", range(12))
def test_a_rule_or_literal_that_is_deleted_shows_or_is_marked(number: int) -> None:
    one = deletion.sample(12)[number]
    outcome = deletion.noticed(one)
    assert outcome in ("noticed", "refused") or (outcome == "unseen" and one.marked), one


def test_every_file_of_rules_has_deletions() -> None:
    for file in deletion.files():
        assert deletion.deletions(file)


# --- Broken files and odd options ---


@settings(max_examples=120, deadline=None)
@given(number=st.integers(0, 2**40))
def test_broken_files_and_odd_options_end_with_one_line(
    number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = Path.cwd()
    try:
        ended = fuzzing.end(
            fuzzing.case(number), tmp_path_factory.mktemp("fuzz"), os.chdir, PATIENCE
        )
    finally:
        os.chdir(before)
    assert ended.complaint == ""


def counted(case: fuzzing.Case) -> fuzzing.Case:
    """Return a case whose search is limited by its effort, not by time."""
    words = {"--time-limit": "--budget", fuzzing.SHORT: "20"}
    return replace(case, arguments=[words.get(word, word) for word in case.arguments])


def test_the_unbroken_files_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for make in fuzzing.KINDS:
        monkeypatch.setattr(fuzzing, "corrupt", lambda data, _: data)
        unbroken = model_mutants.unbroken()[0]
        monkeypatch.setattr(model_mutants, "mutant", lambda _, files=unbroken: files)
        monkeypatch.setattr(fuzzing, "odd_toml", lambda text, _: text.encode())
        monkeypatch.setattr(fuzzing, "odd_json", lambda data, _: json.dumps(data).encode())
        monkeypatch.setattr(
            fuzzing, "OPTIONS", {"--seed": ("1",), "--threads": ("1",), "--out": ("o",)}
        )
        folder = tmp_path / make.__name__
        folder.mkdir()
        case = counted(make(random.Random(1)))
        ended = fuzzing.end(case, folder, monkeypatch.chdir, PATIENCE)
        # A tensor may fit another option.
        assert ended.code == 0 or case.kind == "tensor", case


# --- Interruptions ---


@pytest.mark.parametrize("number", range(3))
def test_an_interrupted_run_leaves_no_file_or_a_whole_one(number: int, tmp_path: Path) -> None:
    planned = interruption.trial(number)
    # Making a better file first takes seconds; the suite of the bench does.
    if planned.earlier == "better":
        planned = replace(planned, earlier="other")
    assert interruption.attempt(planned, tmp_path, PATIENCE).complaint == ""


# --- The page ---


def test_the_page_on_trust_names_tests_and_suites_that_exist() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "trust.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", page))
    assert len(files) > 10
    assert [name for name in files if not (root / name).is_file()] == []
    suites = set(re.findall(r"[Ss]uite `(\w+)`", page))
    assert suites == {"mutants", "deletions", "fuzz", "interruptions"}
    assert suites <= {suite.name for suite in SUITES}
