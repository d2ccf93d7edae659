"""Under random rules the search agrees with plain clingo on the full program."""

from pathlib import Path

import pytest

from tests.engines.random_rules import compared

# ``scripts/bench rules`` runs 500 of them.
CASES = 12


@pytest.mark.parametrize("seed", range(CASES))
def test_costs_and_bounds_agree_with_plain_clingo(tmp_path: Path, seed: int) -> None:
    found = compared(seed, tmp_path)
    assert not found.complaint
