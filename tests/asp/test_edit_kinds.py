"""Each edit is of the kind that says what it keeps, decided on its syntax tree."""

from pathlib import Path

import pytest

from offloadasp.asp.edit_kinds import Kind
from offloadasp.asp.rules import Rules, rules_in_force
from tests.support.invoking import offload_asp

NONE = [
    "% nothing but words\n",
    "#show step/1. #project compute/2. #defined mine/1.\n",
    "#heuristic compute(O, T) : operation(O), step(T). [1, true]\n",
    "#const k = 3.\n",
    "#program base.\n",
]
RESTRICTIONS = [
    ":- load(pixel(R, C, Q), T), T > 3.\n",
    "#edge (B, B') : load(B, T), load(B', T + 1).\n",
    "late(B) :- load(B, T), T > 3. :- late(B), late(B'), B < B'.\n",
    "{ pin(N) : kernel(N, _) } = 1. kernel(0, 0).\n",
    "-load(B, T) :- free(B, T).\n",
    "a(B) ; b(B) :- block(B, _).\n",
    "#external on(B) : block(B, _).\n",
    "not load(B, T) :- free(B, T + 1), load(B, T + 2).\n",
    "occupies(B, T, Bytes) :- load(B, T + 1), block(B, Bytes), step(T).\n",
    "#const k = 3. :- step(T), #count { B : load(B, T) } > k.\n",
    "load(B) :- load(B, T).\n",
]
REPRICINGS = [
    "#minimize { 2, B, T : load(B, T) }.\n",
    "#minimize { 1@1, T : computing(T) }.\n",
    "#maximize { 1@7, T : computing(T) }.\n",
    ":~ load(B, T). [1@2, B, T]\n",
    "cost(setup, T, B, 2) :- moved(_, B, T, _).\n",
    "cost(refund, T, B, -2) :- moved(_, B, T, _).\n",
]
BOTH = [
    ":- load(pixel(R, C, Q), T), T > 3. #minimize { 2, B, T : load(B, T) }.\n",
    "price(3). #minimize { P, B, T : load(B, T), price(P) }.\n",
]
REDEFINITIONS = [
    "load(B, T) :- block(B, _), step(T), T = 1.\n",
    "load_cycles(5).\n",
    "bias.\n",
    "{ on_chip(B, T) } :- result(B, _, _), step(T).\n",
    "{ cost(mine, T, all, 3) } :- step(T).\n",
    "occupies(B, T, -1) :- load(B, T), step(T).\n",
    "occupies(B, T, X - 1) :- load(B, T), block(B, X).\n",
    "#const duration_priority = 3.\n",
    "#const pixel = 3.\n",
    "a ; on_chip(B, T) :- block(B, _), step(T).\n",
    "moved(spare, B, T, 1) :- load(B, T).\n",
]


def added(folder: Path, text: str) -> Rules:
    path = folder / "added.lp"
    path.write_text(text)
    return rules_in_force(None, [path])


def edited(folder: Path, file: str, old: str, new: str) -> Rules:
    copy = folder / "copy"
    assert offload_asp("encodings", copy).code == 0
    text = (copy / file).read_text()
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new))
    return rules_in_force(copy, ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, Kind.NONE) for text in NONE),
        *((text, Kind.RESTRICTION) for text in RESTRICTIONS),
        *((text, Kind.REPRICING) for text in REPRICINGS),
        *((text, Kind.BOTH) for text in BOTH),
        *((text, Kind.REDEFINITION) for text in REDEFINITIONS),
    ],
)
def test_the_kind_of_an_added_file(tmp_path: Path, text: str, kind: Kind) -> None:
    rules = added(tmp_path, text)
    assert rules.kind == kind
    assert rules.edited == (kind != Kind.NONE)


@pytest.mark.parametrize(
    ("file", "old", "new", "kind"),
    [
        ("step.lp", "done(O, T) :- compute(O, T).", "done(A, B) :- compute(A, B).", Kind.NONE),
        ("show.lp", "#show load/2.", "", Kind.NONE),
        ("groups.lp", "#defined bias/0.", "", Kind.NONE),
        ("step.lp", "step(1..S) :- steps(S).", "step(2..S) :- steps(S).", Kind.REDEFINITION),
        ("step.lp", ":- on_chip(_, S), steps(S).", "", Kind.REDEFINITION),
        ("definition.lp", '#include "show.lp".', "", Kind.NONE),
        ("definition.lp", '#include "layer.lp".', "", Kind.REDEFINITION),
        (
            "objective/duration.lp",
            "cost(compute, T, all, Cycles)",
            "cost(compute, T, all, 2 * Cycles)",
            Kind.REPRICING,
        ),
        (
            "objective/duration.lp",
            "#const duration_priority = 0.",
            "#const duration_priority = 1.",
            Kind.REDEFINITION,
        ),
        (
            "step.lp",
            "step(1..S) :- steps(S).",
            "step(1..S) :- steps(S). :- step(9).",
            "restriction",
        ),
    ],
)
def test_the_kind_of_an_edited_file(
    tmp_path: Path, file: str, old: str, new: str, kind: Kind
) -> None:
    assert edited(tmp_path, file, old, new).kind == kind


def test_a_statement_that_moves_to_another_file_is_no_edit(tmp_path: Path) -> None:
    rule = "computing(T) :- compute(_, T)."
    copy = tmp_path / "copy"
    assert edited(tmp_path, "step.lp", rule, "").kind == Kind.REDEFINITION
    with (copy / "layer.lp").open("a") as file:
        file.write(f"{rule}\n")
    assert rules_in_force(copy, ()).kind == Kind.NONE


def test_the_deciding_statements_are_named_by_file_and_line(tmp_path: Path) -> None:
    rules = added(tmp_path, "#show load/2.\n\n:- load(B, 3).\n#minimize { 1, T : computing(T) }.\n")
    assert [one.place for one in rules.edit.deciding] == ["added.lp:3", "added.lp:4"]
    rules = added(tmp_path, ":- load(B, 3).\nmemory(4).\n")
    assert [one.place for one in rules.edit.deciding] == ["added.lp:2"]


def test_an_included_shipped_file_counts_by_its_statements(tmp_path: Path) -> None:
    """The file itself is no edit: that it is loaded with the definition is one."""
    link = tmp_path / "lean.lp"
    lean = rules_in_force(None, ()).folder / "proof/lean.lp"
    link.write_text(lean.read_text())
    assert added(tmp_path, '#include "lean.lp".\n').kind == Kind.RESTRICTION


# --- What a level of the objectives keeps ---

LEVELS = {"duration": 0}


@pytest.mark.parametrize(
    "text",
    [
        "#minimize { 2, B, T : load(B, T) }.",
        "cost(setup, T, B, 2 * Bytes) :- moved(_, B, T, Bytes).",
        "#minimize { -5@3, T : computing(T) }.",
        "#minimize { X, B, T : load(B, T), block(B, Y), X = Y * 3 + T }.",
        ":~ X = #count { T : computing(T) }. [X]",
        "price(1..3). #minimize { P, T : computing(T), price(P) }.",
        "#const p = 4. #minimize { p@duration_priority, T : computing(T) }.",
        "#minimize { |T - 9|, T : computing(T) }.",
        ":~ load(B, T), X = T - 4, X > 0. [X, B]",
    ],
)
def test_terms_that_cannot_be_negative_leave_a_bound(tmp_path: Path, text: str) -> None:
    assert not added(tmp_path, text).edit.pays("duration", 0, LEVELS)


@pytest.mark.parametrize(
    "text",
    [
        "#minimize { -2, B, T : load(B, T) }.",
        "#maximize { 2, B, T : load(B, T) }.",
        "#minimize { 4 - T, T : computing(T) }.",
        "cost(refund, T, B, -Bytes) :- moved(_, B, T, Bytes).",
        "price(-1..3). #minimize { P, T : computing(T), price(P) }.",
        "price(X - 1) :- step(X). #minimize { P, T : computing(T), price(P) }.",
        "#const p = -4. #minimize { p, T : computing(T) }.",
        "#const p = 0. #minimize { -1@p, T : computing(T) }.",
        "level(0). #minimize { -1@L, T : computing(T), level(L) }.",
        "#minimize { X, T : computing(T), X + 3 = T }.",
        "#minimize { X, T : load(pixel(X + 1, _, _), T) }.",
        "#minimize { X, T : computing(T), not X < 0, X = -1..1 }.",
    ],
)
def test_terms_that_may_be_negative_leave_none(tmp_path: Path, text: str) -> None:
    assert added(tmp_path, text).edit.pays("duration", 0, LEVELS)


def test_unchanged_prices_are_kept(tmp_path: Path) -> None:
    rules = edited(
        tmp_path,
        "objective/duration.lp",
        "cost(compute, T, all, Cycles)",
        "cost(compute, T, all, 2 * Cycles)",
    )
    assert rules.edit.kept("duration") == frozenset({"load", "write"})
    assert rules.edit.kept("traffic") == frozenset({"load", "write", "compute"})
