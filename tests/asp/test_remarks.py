"""Rules that clingo takes and that do not say what they seem to say get a remark; others do not."""

import re
from pathlib import Path

import pytest

from offloadasp.asp.atoms import Atoms
from offloadasp.asp.overlay import STEP_AT
from offloadasp.asp.remarks import remarks
from offloadasp.asp.rules import rules_in_force
from offloadasp.asp.vetting.undefined import undefined_words
from offloadasp.asp.vetting.watched import LOCAL
from offloadasp.base.resources import encodings_folder
from offloadasp.model.instance import Layer
from tests.engines import random_rules
from tests.engines.plans import problem, random_plan

EXAMPLES = sorted((encodings_folder() / "examples").glob("*.lp"))
LAYER = Layer(input=(2, 4, 3), kernels=2, kernel_shape=(2, 2), bias=True)
PIXELS = "#count { R, C, Q : load(pixel(R, C, Q), T) } > 3"


def said(folder: Path, text: str) -> list[str]:
    path = folder / "rule.lp"
    path.write_text(text)
    return remarks(rules_in_force(None, [path]).edit)


@pytest.mark.parametrize(
    ("rule", "term"),
    [
        (":- load(pixel(R, C), T), T > 0.", "pixel(R, C)"),
        (":- load(pixle(R, C, Q), T).", "pixle(R, C, Q)"),
        (":- step(T), not on_chip(kernel(N), T).", "kernel(N)"),
        (":- step(T), #count { N : load(kernel(N), T) } > 2.", "kernel(N)"),
        (":- free(output(I, J, N), T).", "output(I, J, N)"),
        (":- compute(pixel(R, C, Q), T).", "pixel(R, C, Q)"),
        ("mine(B) :- load(B, T), form(B, T, partly).", "partly"),
    ],
)
def test_a_term_that_no_atom_has_is_remarked_on(tmp_path: Path, rule: str, term: str) -> None:
    (remark,) = said(tmp_path, f"\n{rule}\n")
    assert remark.startswith("rule.lp:2: no ")
    assert f"looks like {term}, so nothing" in remark


def test_the_remark_says_what_there_is(tmp_path: Path) -> None:
    (remark,) = said(tmp_path, ":- free(pixel(R, C), T).")
    assert remark.endswith("blocks there are kernel(N, Q), pixel(R, C, Q)")
    (remark,) = said(tmp_path, ":- done(op(I, J), T).")
    assert remark.endswith("operations there are op(I, J, N, Q)")


@pytest.mark.parametrize(
    ("rule", "remark"),
    [
        (
            "cost(setup, B, T, 2) :- load(B, T).",
            "B is the block of load(B, T), and no number of a step, in cost(setup, B, T, 2); "
            "write cost(Kind, T, B, Cycles)",
        ),
        (
            "cost(T, setup, B, 2) :- load(B, T).",
            "setup is no number of a step, in cost(T, setup, B, 2); write cost(Kind, T, B, Cycles)",
        ),
        (
            "cost(setup, T, 2, B) :- load(B, T).",
            "B is the block of load(B, T), and no number of bytes or cycles, in "
            "cost(setup, T, 2, B); write cost(Kind, T, B, Cycles)",
        ),
        (
            "cost(setup, T, 2) :- load(_, T).",
            "nothing reads cost/3; write cost(Kind, T, B, Cycles)",
        ),
        (
            ":- moved(load, T, B, X), load(B, T), X > 4.",
            "B is the block of load(B, T), and no number of a step, in moved(load, T, B, X); "
            "write moved(Action, B, T, Bytes)",
        ),
        (
            ":- load(T, B), step(T).",
            "T is the block of load(T, B), and no number of a step, in step(T)",
        ),
        (
            ":- compute(T, O), step(T).",
            "T is the operation of compute(T, O), and no number of a step, in step(T)",
        ),
    ],
)
def test_places_that_are_mixed_up_are_remarked_on(tmp_path: Path, rule: str, remark: str) -> None:
    assert f"rule.lp:1: {remark}" in said(tmp_path, rule)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_not_remarked_on(path: Path) -> None:
    if path.stem != "tiny.facts":
        assert remarks(rules_in_force(None, [path]).edit) == []


def test_atoms_of_plans_and_random_rules_are_not_remarked_on(tmp_path: Path) -> None:
    plan = random_plan(problem(LAYER, kernel_groups=2, channel_groups=2), 0)
    atoms = re.sub(r"\d+", "1", Atoms(plan).text(STEP_AT)).splitlines()
    assert said(tmp_path, "\n".join(f":- {atom}" for atom in dict.fromkeys(atoms))) == []
    assert said(tmp_path, "\n".join(map(random_rules.rules, range(20)))) == []


def test_terms_of_predicates_and_constants_of_the_user_are_free(tmp_path: Path) -> None:
    text = "#const first = 0. mine(pixel(1)). :- mine(pixel(X)), load(first, X)."
    assert said(tmp_path, text) == []
    assert said(tmp_path, "cost(setup, T, B, 2) :- moved(_, B, T, _).") == []
    assert said(tmp_path, "#const s = 1. cost(late, s, all, T) :- active(T).") == []
    assert said(tmp_path, "cost(1). :- cost(X), X > 2.") == []


@pytest.mark.parametrize("rule", [f":- {PIXELS}.", f":- memory(M), M > 3, {PIXELS}."])
def test_a_count_over_all_steps_is_remarked_on(tmp_path: Path, rule: str) -> None:
    (remark,) = said(tmp_path, rule)
    assert remark == (
        "rule.lp:1: T is a variable of the aggregate alone, which counts over all steps together; "
        "to count in each step, write step(T) beside it"
    )


@pytest.mark.parametrize(
    "rule",
    [
        f":- step(T), {PIXELS}.",
        f":- computing(T'), T' > 3, {PIXELS}.",
        ":- #count { T : load(pixel(0, 0, 0), T) } < 9.",
        ":- #sum { Bytes, B, T : moved(load, B, T, Bytes) } > 99.",
        f"many :- {PIXELS}.",
    ],
)
def test_a_count_that_may_be_meant_is_not_remarked_on(tmp_path: Path, rule: str) -> None:
    assert said(tmp_path, rule) == []


@pytest.mark.parametrize(
    "rule",
    [
        ":- step(T), #count { B : load(B, T) } > limt.",
        ":- step(T), limt < { load(B, T) }.",
        ":- step(T), T >= limt, load(_, T).",
        ":- step(T), limt < T, load(_, T).",
        "#const limit = 3. { mine(T) : step(T) } limt.",
    ],
)
def test_a_limit_that_nothing_defines_is_remarked_on(tmp_path: Path, rule: str) -> None:
    (remark,) = said(tmp_path, rule)
    assert remark.startswith("rule.lp:1: no #const defines limt, ")
    defined = f"#const limt = 3. {rule}"
    assert said(tmp_path, defined) == []


@pytest.mark.parametrize(
    ("rule", "better"),
    [
        ("#minimize { 2 : compute(O, T) }.", "2, O, T"),
        ("#minimize { 2@1, started : started(B, T) }.", "2, started, B, T"),
        (":~ load(B, T), T > 3. [5]", "5, B, T"),
    ],
)
def test_a_tuple_that_counts_once_is_remarked_on(tmp_path: Path, rule: str, better: str) -> None:
    (remark,) = said(tmp_path, rule)
    assert remark.startswith("rule.lp:1: the tuple ")
    assert remark.endswith(f"so it counts once; to count each, write {better}")


@pytest.mark.parametrize(
    "rule",
    [
        "#minimize { 2, O, T : compute(O, T) }.",
        "#minimize { T : compute(O, T) }.",
        "late :- compute(_, 9). :~ late. [5]",
        ":~ load(_, 3). [5]",
    ],
)
def test_a_tuple_that_is_meant_is_not_remarked_on(tmp_path: Path, rule: str) -> None:
    assert said(tmp_path, rule) == []


def test_an_atom_that_nothing_defines_is_named_plainly() -> None:
    note = "a/b.lp:3:4-14: info: atom does not occur in any rule head: "
    known = {("load", 2), ("moved", 4)}
    assert undefined_words(f"{note}lode(#P0,#X1)", known) == (
        "a/b.lp:3: lode/2 is defined nowhere; did you mean load/2?"
    )
    assert undefined_words(f'{note}-xyz((1,2),f(1,2),"a,b)")', known) == (
        "a/b.lp:3: -xyz/3 is defined nowhere"
    )
    assert undefined_words(f"{note}moved(lod,#P0,#P1,3)", known) == (
        "a/b.lp:3: nothing derives an atom that looks like moved(lod, _, _, 3)"
    )
    # Variables of an aggregate have names of ours where its sum is watched.
    assert undefined_words(f"{note}load(B{LOCAL},T)", known) == (
        "a/b.lp:3: nothing derives an atom that looks like load(B, T)"
    )
    assert undefined_words("something else", known) == "something else"
