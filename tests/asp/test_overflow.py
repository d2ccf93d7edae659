"""Arithmetic of users' rules: what leaves 32 bits is refused at its place, and nothing else."""

import contextlib
import operator
import re
from pathlib import Path

import clingo
import clingo.ast
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.asp.rules import rules_in_force
from offloadasp.asp.vetting.overflow import Watch
from offloadasp.base.errors import InputError
from offloadasp.base.resources import encodings_folder
from offloadasp.model.problem import CLINGO_LIMIT
from tests.support.invoking import UNTIL_PROVED, instance, offload_asp

LEAVES = {
    "a product": "p(100000 * 100000).",
    "a product of variables": "p(50000). q(X * X) :- p(X).",
    "a sum of two": "p(2147483647). q(X + 1) :- p(X).",
    "a difference": "p(2147483647). q(-2 - X) :- p(X).",
    "a power": "p(2 ** 31).",
    "a power that nobody can wait for": "p(3 ** 2000000000).",
    "a negative power": "p((-2) ** 33).",
    "a part of a larger term": "p(f(1, 65536 * 65536 / 65536)).",
    "the end of a range": "p(X) :- X = 1..3 * 1000000000.",
    "a constant": "#const n = 100000 * 100000. p(n).",
    "a value that a comparison then hides": "p(3). q :- p(X), Y = X * 1000000000, Y > 0.",
    "a value that is false where it wraps": "p(3). q :- p(X), X * 1000000000 > 0.",
    "a negated comparison": "p(3). q :- p(X), not X * 1000000000 > 0.",
    "a weight of an objective": "{ p(1..3) }. :~ p(X). [X * 1000000000, X]",
    "a weight in #maximize": "{ p(1..3) }. #maximize { X * 1000000000, X : p(X) }.",
    "a priority": "{ p(1..3) }. :~ p(X). [1@X * 1000000000, X]",
    "a term shown": "p(3). #show X * 1000000000 : p(X).",
    "the head of a choice": "p(3). { q(X * Y) : Y = 1000000000 } :- p(X).",
    "a conditional literal": "p(1..3). r(5). q :- r(X) : p(X), X * 1000000000 > 0.",
    "a disjunction": "p(3). q(X * 1000000000) ; r :- p(X).",
    "an element of a sum": "{ p(1..3) }. :- #sum { X * 1000000000, X : p(X) } > 5.",
    "an element of a count": "{ p(1..3) }. :- #count { X * 1000000000 : p(X) } > 5.",
    "a guard of a sum": "{ p(1..3) }. :- #sum { X : p(X) } > Y * 1000000000, p(Y).",
    "a sum of facts": "p(1..3). q(N) :- N = #sum { 1000000000, X : p(X) }.",
    "a sum that is compared": "p(1..3). q :- #sum { 1000000000, X : p(X) } < 5.",
    "a sum over a choice": "{ p(1..3) }. q(N) :- N = #sum { 1000000000, X : p(X) }.",
    "a sum of negative weights": "p(1..3). q(N) :- N = #sum { -1000000000, X : p(X) }.",
    "a sum of two elements": "p(1..2). q(N) :- N = #sum { 1000000000, X : p(X); 147483648, a }.",
    "a sum whose value another literal needs": (
        "p(1..3). q(M) :- N = #sum { 1000000000, X : p(X) }, M = N - 1, M < 9."
    ),
    "a sum for some values": (
        "c(1, 1). c(2, 1..3). q(A, N) :- c(A, _), N = #sum { 1000000000, W : c(A, W) }."
    ),
    "a sum in a head": "{ p(1..3) }. #sum { X * 500000000, X : q(X) : p(X) } 9 :- p(1).",
    "a chain of comparisons": "p(3). q :- p(X), 1 < X < X * 1000000000.",
    "a value that a chain binds": "p(3). q :- p(Z), X = Y = Z, A = X * 1000000000, A > 0.",
    "a value from an opposite": "p(-3). q :- p(-X), Y = X * 1000000000, Y > 0.",
    "a value for which a term is solved": "p(2147483647). q(X) :- p(X - 1), X > 0.",
    "a value for which a comparison is solved": "p(2147483647). q(X) :- p(Y), X - 1 = Y, X > 0.",
    "a condition of a counted literal": "{ p(1..3) }. q(N) :- N = { p(X) : X * 1000000000 > 0 }.",
    "a weight of a heuristic": "{ p(1..3) }. #heuristic p(X). [X * 1000000000, true]",
    "a sum beside an unnamed variable": (
        "p(1..3, 1..2). q(Z) :- p(Z, _), Z < #sum { 1000000000 * Z, X : p(X, _) }."
    ),
    "the opposite of the smallest number": "p(~2147483647). q(-X) :- p(X).",
    "its opposite by a constant": "#const m = ~2147483647. #const n = -m. p(n).",
    "its absolute value": "p(~2147483647). q(|X|) :- p(X).",
    "a variable named alike elsewhere": (
        "p(1..3). r(1). q(N, M) :- N = #sum { X : r(X) }, M = #sum { X * 1000000000 : p(X) }."
    ),
}
STAYS = {
    "the largest number": "p(2147483646). q(X + 1) :- p(X).",
    "the smallest number": "p(2147483646). q(-1 - X) :- p(X).",
    "a power": "p(2 ** 30). q(2 ** -1). r(0 ** 5). s((-1) ** 2000000000). t(1 ** 2000000000).",
    "a product": "p(46340). q(X * X) :- p(X).",
    "a product whose other values are excluded": (
        "p(1..50000). q(X * X) :- p(X), X < 40000, X > 39990."
    ),
    "arithmetic on what is no number": "p(f(3)). q(X) :- p(X), X = f(Y), Y * Y < 10.",
    "a matched term": "a(1). a(X + 1) :- a(X), X < 5. b(X) :- a(2 * X + 1).",
    "classical negation": "-p(1). q(X + 1) :- -p(X), X > -X.",
    "a term with a sign": "a(-1..1). b(Y) :- a(-X), Y = X * 2, Y > X - 1. b(-f(2)).",
    "a comparison that is solved": "a(1..3). b(Y) :- a(X), 2 * Y + 1 = X * 3, Z = Y + 1, Z > 0.",
    "a chain of comparisons": "a(1..3). b :- a(Z), X = Y = Z, 1 < Y < X * 2, A = X * 2 + Z, A > 0.",
    "counted literals": "{ c(1..3) }. b(S) :- S = { c(X) : X * 2 > 3 }, S * 2 > 1.",
    "a heuristic": "{ a(1..3) }. #heuristic a(X) : X > 1. [X + 2@X * 2, factor]",
    "an unnamed variable": (
        "a(1..3, 1..3). b(Z) :- a(Z, _), S = #sum { X + Z, X : a(X, _), not a(_, X - 9) }, S > 1."
    ),
    "a pool of literals": "a(1..3). b(Y) :- a(X; X + 1), Y = X * 2, Y > 2.",
    "a pool and a range": "a(1; 2). b((1; 2) * X) :- a(X). c(X * (1..3)) :- a(X).",
    "a sum": "p(1..2). q(N) :- N = #sum { 1000000000, X : p(X) }.",
    "a sum that counts a tuple once": "p(1..3). q(N) :- N = #sum { 1000000000 : p(X) }.",
    "a sum of some only": "a(1..3). b(N) :- N = #sum+ { X * 2000000000, X : a(X), X < 2 }.",
    "a sum for each value": (
        "c(1, 1). c(2, 2). q(A, N) :- c(A, _), N = #sum { W * 1000000000 : c(A, W) }."
    ),
    "an aggregate that needs another one": (
        "a(1..3). b(N, M, Z) :- N = #sum { X : a(X) }, M = #count { X : X = 1..N }, N = M, "
        "Y = N + M, Z = Y * Y."
    ),
    "a variable that only a comparison binds": "q(N) :- X = 1..3, N = #sum { X * W : W = 1..X }.",
    "a product with a variable of another aggregate": (
        "a(1..3). :- X = #sum { Y * 2 : a(Y) }, Y = #max { X2 : a(X2) }, X * Y > 99."
    ),
    "largest, smallest": "a(1..3). b(X, Y) :- X = #max { Z * 2 : a(Z) }, Y = #min { -Z : a(Z) }.",
    "bounds of a choice": "{ b(1..9, 1..2) }. :- not 1 { b(X, Y) : X = 1..3 * Y } 2, Y = 1..2.",
    "weights without terms": "a(1..3). :- #sum { X - 1, X : a(X), not b(X); 4 } > 99. b(2).",
}


def grounded(text: str, folder: Path) -> Watch:
    """Ground a file and what watches it."""
    path = folder / "rules.lp"
    path.write_text(text)
    watch = Watch()
    clingo.ast.parse_files([str(path)], watch.add)
    notes: list[str] = []
    control = clingo.Control(logger=lambda _, note: notes.append(note))
    control.load(str(path))
    with clingo.ast.ProgramBuilder(control) as builder:
        for rule in watch.rules:
            builder.add(rule)
    with contextlib.suppress(RuntimeError):  # a sum over a choice, which clingo cannot add
        control.ground([("base", [])])
    assert all("global variable in tuple" in note for note in notes)
    watch.require_fit(control)
    return watch


@pytest.mark.parametrize("name", LEAVES)
def test_what_leaves_32_bits_is_refused_at_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rules\.lp:2: .*; clingo's integers end at 2147483647"):
        grounded(f"% A comment.\n{LEAVES[name]}\n", tmp_path)


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_within_32_bits_is_left_alone(name: str, tmp_path: Path) -> None:
    assert grounded(STAYS[name], tmp_path).rules


@pytest.mark.parametrize("number", ["2147483648", "0x80000000", "0o20000000000", "0b1" + "0" * 31])
def test_a_number_of_more_than_32_bits_is_refused(number: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.lp"
    rules.write_text(f"% A comment.\np({number}).\n")
    with pytest.raises(InputError, match=rf"rules\.lp:2: {number} is too large"):
        rules_in_force(None, [rules])


def test_names_of_the_rules_that_watch_are_refused(tmp_path: Path) -> None:
    watch = grounded("p(1..3). q(N) :- N = #sum { X * 2, Y : p(X), p(Y) }.", tmp_path)
    names = {name for rule in watch.rules for name in re.findall(r"[A-Za-z_]+_32_bits", str(rule))}
    assert len(names) == 6
    for name in names:
        rules = tmp_path / "rules.lp"
        rules.write_text(f"p(1). q :- {name} = 1.\n")
        with pytest.raises(InputError, match=r"rules\.lp:1: names with _32_bits in them are not"):
            rules_in_force(None, [rules])


def test_small_values_are_not_even_collected() -> None:
    text = (
        "op(1..9). step(1..9). { at(O, T) : step(T) } :- op(O). "
        ":- at(O, T), at(O', T'), T' = T + 1, O * 7 + O' > 50."
    )
    watch = Watch()
    clingo.ast.parse_string(text, watch.add)
    control = clingo.Control()
    control.add("base", [], text)
    with clingo.ast.ProgramBuilder(control) as builder:
        for rule in watch.rules:
            builder.add(rule)
    control.ground([("base", [])])
    assert watch.rules
    found = {str(atom.symbol).split("(", maxsplit=1)[0] for atom in control.symbolic_atoms}
    assert found == {"op", "step", "at"}


NUMBERS = st.one_of(
    st.integers(-CLINGO_LIMIT, CLINGO_LIMIT),
    st.integers(-50, 50),
    st.integers(46_330, 46_350),
    st.integers(CLINGO_LIMIT - 3, CLINGO_LIMIT),
)


@settings(deadline=None)
@given(left=NUMBERS, right=NUMBERS, sign=st.sampled_from("+-*"))
def test_an_operation_is_refused_where_its_exact_result_leaves(
    left: int, right: int, sign: str
) -> None:
    exact = {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](left, right)
    watch = Watch()
    clingo.ast.parse_string(f"r(X {sign} Y) :- p(X), q(Y).", watch.add)
    control = clingo.Control()
    with clingo.ast.ProgramBuilder(control) as builder:
        for rule in watch.rules:
            builder.add(rule)
    control.add("base", [], f"p({left}). q({right}). r(X {sign} Y) :- p(X), q(Y).")
    control.ground([("base", [])])
    computed = next(
        atom.symbol.arguments[0].number for atom in control.symbolic_atoms.by_signature("r", 1)
    )
    if abs(exact) > CLINGO_LIMIT:
        with pytest.raises(InputError):
            watch.require_fit(control)
    else:
        watch.require_fit(control)
        assert computed == exact


def test_the_shipped_rules_stay_within_32_bits_when_they_are_edited(tmp_path: Path) -> None:
    """Every file counts as edited; the run finds and proves what it does with the shipped ones."""
    copy = tmp_path / "copy"
    assert offload_asp("encodings", copy).code == 0
    for path in copy.rglob("*.lp"):
        path.write_text(path.read_text() + "edited.\n")
    given_ = instance(tmp_path)
    more = ("--encodings", copy, "--out", tmp_path / "edited", *UNTIL_PROVED)
    edited = offload_asp("run", given_, *more, "--json").json
    shipped = offload_asp("run", given_, "--out", tmp_path / "out", "--json").json
    assert edited["edited"] is True
    assert edited["status"] == shipped["status"] == "optimal"
    assert edited["duration"] == shipped["duration"]


def test_only_what_differs_from_the_shipped_rules_is_watched(tmp_path: Path) -> None:
    added = tmp_path / "added.lp"
    added.write_text("p(1 + 1).\n")
    rules = rules_in_force(None, [added])
    assert rules.ships(encodings_folder() / "model/step.lp")
    assert not rules.ships(added)
    copy = tmp_path / "copy"
    assert offload_asp("encodings", copy).code == 0
    step = copy / "step.lp"
    step.write_text(step.read_text() + "edited.\n")
    rules = rules_in_force(copy, [])
    assert not rules.ships(step)
    assert rules.ships(copy / "layer.lp")


def test_an_objective_that_would_wrap_is_refused_before_solving(tmp_path: Path) -> None:
    rule = tmp_path / "price.lp"
    rule.write_text(
        "% Bytes, far too dear.\n:~ moved(load, B, T, Bytes). [Bytes * 2000000000@5, B, T]\n"
    )
    out = tmp_path / "out"
    ran = offload_asp("run", instance(tmp_path), "--encoding", rule, "--out", out)
    assert ran.code == 2
    assert "price.lp:2: Bytes*2000000000 can be 4 * 2000000000; clingo's" in ran.error_line
    assert not out.exists()
