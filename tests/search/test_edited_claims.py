"""Claims under edited rules: shipped proofs count where terms are kept, and so do prices added."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.bounds import lower_bound
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import load_instance
from offloadasp.model.objectives import DURATION, EDITED, prices_of
from offloadasp.model.problem import problem_of
from offloadasp.search.construct.decompose import scope
from offloadasp.search.edited.claims import Levels
from offloadasp.search.lexicographic.linear import Proven
from offloadasp.search.question import whole_of
from tests.engines.random_rules import plain, tiny


@pytest.mark.parametrize(
    ("rule", "kept", "added"),
    [
        ("#minimize { T, O : compute(O, T) }.", True, 0),
        (":~ load(B, T). [3@0, B, T]", True, 3 * 26),
        # A term that may pay leaves nothing of what was proved.
        ("#maximize { 2, O, T : compute(O, T) }.", False, 0),
    ],
)
def test_a_price_keeps_what_a_complete_search_proved_without_it(
    tmp_path: Path, rule: str, kept: bool, added: int
) -> None:
    path = tmp_path / "price.lp"
    path.write_text(rule)
    instance = load_instance(find_instance("tiny-3x3"))
    whole = whole_of(instance, prices_of(DURATION, instance), instance.accelerator.memory)
    bound = lower_bound(whole.within(whole.memory))
    assert bound.value < 64
    # No strategy of tiny-3x3 takes less than 64 cycles: tests/search compares that with clingo.
    searched = Proven(Fraction(64), {**bound.certificate, "complete_search": {"refuted": 63}})
    levels = Levels(instance, rules_in_force(None, [path]), (DURATION,), (searched,))
    (claim,) = levels.claims(whole, {0: 190})
    assert claim.objective == EDITED
    # tiny-3x3 has 25 pixel blocks and one kernel block.
    assert (claim.lower_bound == 64 + added) == kept
    assert ("complete_search" in claim.certificate) == kept


@pytest.mark.parametrize(
    ("rule", "priced"),
    [
        ("#minimize { 2, B, T : write(B, T) }.", 2 * 2),
        ("cost(setup, T, B, 2) :- moved(_, B, T, _).", 2 * (6 + 1 + 2)),
        ("cost(start, T, all, 3) :- active(T). :~ load(B, T). [3, B]", 3 * 2 + 3 * (6 + 1)),
        ("#minimize { 2 * X, B, T : moved(A, B, T, X) }.", 2 * (6 + 4 + 2)),
        # Equal tuples pay once.
        ("#minimize { 1, B : load(B, T); 1, B : free(B, T) }.", 6 + 1),
        ("#minimize { 1, load, T, B : load(B, T) }.", 0),
    ],
)
def test_the_bound_of_prices_that_every_strategy_pays_is_met_and_never_above_an_optimum(
    tmp_path: Path, rule: str, priced: int
) -> None:
    path = tmp_path / "price.lp"
    path.write_text(rule)
    # A layer of six pixels, one kernel and two outputs, each computed in a step of its own.
    instance, under = tiny(0), rules_in_force(None, [path])
    problem = problem_of(instance, scope(instance))
    shortest = lower_bound(problem.within(problem.memory))
    assert shortest.value == 6 + 4 + 2
    proof = Proven(shortest.value, shortest.certificate)
    costs = plain(problem, under, 4).costs
    assert costs is not None
    (claim,) = Levels(instance, under, (DURATION,), (proof,)).claims(problem, {0: 1000})
    assert claim.lower_bound == shortest.value + priced <= costs[0]
    assert costs[0] - claim.lower_bound <= 3  # a step that only writes costs 3 to start
