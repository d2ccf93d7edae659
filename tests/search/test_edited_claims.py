"""Claims under edited rules: what the shipped search proved counts on where its terms are kept."""

from fractions import Fraction
from pathlib import Path

import pytest

from offloadasp.asp.rules import rules_in_force
from offloadasp.bounds import lower_bound
from offloadasp.model.catalogue import find_instance
from offloadasp.model.instance import load_instance
from offloadasp.model.objectives import DURATION, EDITED, prices_of
from offloadasp.search.edited.claims import Levels
from offloadasp.search.lexicographic.linear import Proven
from offloadasp.search.question import whole_of


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("#minimize { 2, O, T : compute(O, T) }.", True),
        (":~ load(B, T). [3@0, B, T]", True),
        # A term that may pay leaves nothing of what was proved.
        ("#maximize { 2, O, T : compute(O, T) }.", False),
    ],
)
def test_a_price_keeps_what_a_complete_search_proved_without_it(
    tmp_path: Path, rule: str, kept: bool
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
    (claim,) = levels.claims(whole, {0: 90})
    assert claim.objective == EDITED
    assert (claim.lower_bound == 64) == kept
    assert ("complete_search" in claim.certificate) == kept
