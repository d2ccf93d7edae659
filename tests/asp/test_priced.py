"""Prices that every strategy pays: those of which the syntax tree shows it, and no others."""

from pathlib import Path

import pytest

from offloadasp.asp.priced import priced
from offloadasp.asp.rules import rules_in_force

CHOSEN = {"duration": 0, "traffic": -1}
MOVED = {"pixels": 2, "kernels": 2, "outputs": 2}


def of(folder: Path, text: str, objective: str | None = "duration", at: int = 0) -> dict[str, int]:
    path = folder / "prices.lp"
    path.write_text(text)
    return priced(rules_in_force(None, [path]).edit, objective, at, CHOSEN)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#minimize { 2, B, T : write(B, T) }.", {"outputs": 2}),
        ("#minimize { 2, B : load(B, T) }.", {"pixels": 2, "kernels": 2}),
        (
            "#minimize { 2@duration_priority, B : step(T), free(B, T) }.",
            {"pixels": 2, "kernels": 2},
        ),
        (":~ load(kernel(N, Q), T). [3, pinned(N), Q]", {"kernels": 3}),
        ("#const w = 4. #minimize { w, O, T : compute(O, T) }.", {"operations": 4}),
        ("#minimize { 5, T : computing(T) }.", {"compute": 5}),
        ("cost(start, T, all, 1) :- active(T).", {"compute": 1}),
        ("cost(setup, T, B, 2) :- moved(_, B, T, _).", MOVED),
        ("#minimize { 2 * X, B, T : moved(A, B, T, X) }.", {"load": 2, "write": 2}),
        ("#minimize { X, B, T : moved(write, B, T, X) }.", {"write": 1}),
        ("#minimize { 1, B, T : load(B, T); 2, B, T : load(B, T) }.", {"pixels": 3, "kernels": 3}),
        (
            "#minimize { 1, a, B : load(B, T) }. :~ load(B, T). [1, b, B]",
            {"pixels": 2, "kernels": 2},
        ),
    ],
)
def test_what_every_strategy_pays_counts(tmp_path: Path, text: str, found: dict[str, int]) -> None:
    assert of(tmp_path, text) == found


@pytest.mark.parametrize(
    "text",
    [
        # Tuples that do not tell blocks, or steps, from each other.
        "#minimize { 2, T : load(B, T) }.",
        "#minimize { 2, R : load(pixel(R, C, Q), T) }.",
        "#minimize { 2 : computing(T) }.",
        "#minimize { X, B : moved(load, B, T, X) }.",
        # Not of every block, or not in every strategy.
        "#minimize { 2, B, T : load(B, T), T > 1 }.",
        "#minimize { 2, C, Q : load(pixel(0, C, Q), T) }.",
        "#minimize { 2, B : load(B, 1) }.",
        "#minimize { 2, B : load(B, B) }.",
        "#minimize { 2, R, Q : load(pixel(R, R, Q), T) }.",
        "#minimize { 2, B, T : not load(B, T), block(B, _), step(T) }.",
        "#minimize { 2, B, T, B' : load(B, T), block(B', _) }.",
        "#minimize { 2, I, J, N : load(output(I, J, N), T) }.",
        "#minimize { 2, B, T : on_chip(B, T) }.",
        # Not at this priority, not above 0, or not a number.
        "#minimize { 2@1, B, T : load(B, T) }.",
        "#minimize { 2@duration, B, T : load(B, T) }.",
        "#maximize { 2, B, T : load(B, T) }.",
        "#minimize { T, B : load(B, T) }.",
        "#minimize { X - 9, B, T : moved(load, B, T, X) }.",
        "#minimize { X * X, B, T : moved(load, B, T, X) }.",
        # Tuples that duration.lp may have as well, so that both pay once.
        "#minimize { 2, A, T, B : moved(A, B, T, X) }.",
        "cost(load, T, B, 2) :- load(B, T).",
        "cost(wait, T, B, 2) :- load(B, T).",
        "#const setup = load. cost(setup, T, B, 2) :- load(B, T).",
    ],
)
def test_nothing_else_counts(tmp_path: Path, text: str) -> None:
    assert of(tmp_path, text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "#minimize { 2, B, T : load(B, T) }. :~ free(B, T). [2, B, T]",
        "#minimize { 2, k, B, T : load(B, T) }. cost(k, B, T, 2) :- free(T, B).",
        "#const a = b. #minimize { 2, a, B : load(B, T); 2, b, B : free(B, T) }.",
    ],
)
def test_of_tuples_that_may_be_equal_one_counts(tmp_path: Path, text: str) -> None:
    assert of(tmp_path, text) == {"pixels": 2, "kernels": 2}


def test_a_price_counts_at_its_own_priority_alone(tmp_path: Path) -> None:
    text = (
        "#minimize { 2@traffic_priority, B, T : load(B, T) }. #minimize { 1@7, T : computing(T) }."
    )
    assert of(tmp_path, text) == {}
    assert of(tmp_path, text, "traffic", -1) == {"pixels": 2, "kernels": 2}
    assert of(tmp_path, text, None, 7) == {"compute": 1}
    # Costs are added up by the duration alone.
    assert of(tmp_path, "cost(start, T, all, 1) :- active(T).", "traffic", -1) == {}
