"""The program of evictions has the optimum of the definition, and no cut removes it."""

import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import scale_of
from offloadasp.asp.rules import Rules, shipped_rules
from offloadasp.asp.solving import plan_of_model
from offloadasp.base.resources import encodings_folder
from offloadasp.bounds import least_macs, least_memory, lower_bound
from offloadasp.limits.clock import Clock
from offloadasp.model.instance import Instance
from offloadasp.model.problem import Problem, problem_of
from offloadasp.search.anneal.improve import units
from offloadasp.search.construct.decompose import scope
from offloadasp.search.refute.cuts import cut_files
from offloadasp.search.refute.refute import Refuter, ledger_of
from offloadasp.search.size_limits import GROUND_LIMIT, operations
from tests.engines import exhaustive
from tests.search.test_search import CASES, instance, least
from tests.support import layers

RULES = shipped_rules()
CUTS = sorted(cut_files(RULES.folder))
UNLIMITED = 10**6


def refuted(
    problem: Problem, without: frozenset[str] = frozenset(), rules: Rules = RULES
) -> Fraction:
    """The optimum by refutation alone, without a constructive plan and without some cuts."""
    bound = lower_bound(problem)
    ledger = ledger_of(problem, bound, operations(problem))
    start = ledger.base
    refuter = Refuter(
        rules, problem, ledger, Clock(), start, start + UNLIMITED * ledger.grain,
        threads=1, seed=0, limit=GROUND_LIMIT, without=without,
    )  # fmt: skip
    refuter.run()
    assert refuter.lower == refuter.upper
    assert refuter.symbols is not None
    assert units(plan_of_model(problem, refuter.symbols)) == refuter.upper
    return refuter.upper * scale_of(problem).unit


def test_the_cuts_are_those_that_the_manual_names() -> None:
    assert CUTS == ["live-cut", "pace-cut", "symmetry"]


@settings(max_examples=80, deadline=None)
@given(
    layers.problems(layers.layers(side=4, reach=2, channels=2)),
    st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from(CUTS))),
)
def test_refutation_with_any_cuts_finds_the_exhaustive_optimum_of_random_layers(
    problem: Problem, without: frozenset[str]
) -> None:
    blocks = int(problem.used.sum()) * len(problem.channel_sizes) + problem.exists.count
    # The oracle moves all partial sums of a tile together.
    assume(problem.decomposition.tile == (1, 1) or len(problem.channel_sizes) == 1)
    assume(operations(problem) <= 6)
    assume(blocks <= 14)
    assume(least_memory(problem).value <= problem.accelerator.memory)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    assert refuted(problem, without) == exhaustive.optimal_duration(problem)


def small(name: str) -> Instance:
    return instance(CASES[name], least(CASES[name]) + 2)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CASES)
def test_a_cut_leaves_the_optimum_as_it_is(name: str, cut: str) -> None:
    given_ = small(name)
    problem = problem_of(given_, scope(given_))
    assert refuted(problem, frozenset({cut})) == refuted(problem)


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_that_is_left_out_is_not_read(cut: str, tmp_path: Path) -> None:
    folder = tmp_path / "encodings"
    shutil.copytree(encodings_folder(), folder)
    (folder / cut_files(RULES.folder)[cut]).write_text(":- step(1).\n")
    given_ = small("two rows")
    problem = problem_of(given_, scope(given_))
    assert refuted(problem, frozenset({cut}), Rules(folder)) == refuted(problem)
