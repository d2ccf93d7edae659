"""The program of evictions has the optimum of the definition, and no cut removes it."""

import shutil
from fractions import Fraction
from pathlib import Path

import exhaustive
import layers
import pytest
from hypothesis import assume, given, settings
from test_search import CASES, instance, least

from offloadasp.bounds import least_macs, least_memory, lower_bound
from offloadasp.facts import scale_of
from offloadasp.instance import Instance
from offloadasp.problem import Problem, problem_of
from offloadasp.resources import encodings_folder
from offloadasp.rules import Rules, shipped_rules
from offloadasp.search.clock import Clock
from offloadasp.search.decompose import scope
from offloadasp.search.exact import plan_of_model
from offloadasp.search.reach import GROUND_LIMIT, operations
from offloadasp.search.refute import Refuter, cost_of_plan, ledger_of

CUTS = ("live_cut", "pace_cut", "symmetry")
UNLIMITED = 10**6


def refuted(problem: Problem, rules: Rules) -> Fraction:
    """The optimum by refutation alone, without a constructive plan."""
    bound = lower_bound(problem)
    ledger = ledger_of(problem, bound, operations(problem))
    start = ledger.base
    refuter = Refuter(
        rules, problem, ledger, Clock(120), start, start + UNLIMITED * ledger.grain,
        threads=1, seed=0, limit=GROUND_LIMIT,
    )  # fmt: skip
    refuter.run()
    assert refuter.lower == refuter.upper
    assert refuter.symbols is not None
    assert cost_of_plan(problem, plan_of_model(problem, refuter.symbols)) == refuter.upper
    return refuter.upper * scale_of(problem).unit


@settings(max_examples=200, deadline=None)
@given(layers.problems(layers.layers(side=4, reach=2, channels=2)))
def test_refutation_finds_the_exhaustive_optimum_of_random_layers(problem: Problem) -> None:
    blocks = int(problem.used.sum()) * len(problem.channel_sizes) + int(problem.exists.sum())
    # The oracle moves all partial sums of a tile together.
    assume(problem.decomposition.tile == (1, 1) or len(problem.channel_sizes) == 1)
    assume(operations(problem) <= 6)
    assume(blocks <= 14)
    assume(least_memory(problem).value <= problem.accelerator.memory)
    assume(least_macs(problem).value <= problem.accelerator.macs_per_step)
    assert refuted(problem, shipped_rules()) == exhaustive.optimal_duration(problem)


def without(cut: str, folder: Path) -> Rules:
    """The shipped rules less one cut."""
    copy = folder / "encodings"
    shutil.copytree(encodings_folder(), copy)
    entry = copy / "evict" / "refute.lp"
    line = f'#include "{cut}.lp".\n'
    assert line in entry.read_text()
    entry.write_text(entry.read_text().replace(line, ""))
    return Rules(copy)


def small(name: str) -> Instance:
    return instance(CASES[name], least(CASES[name]) + 2)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CASES)
def test_a_cut_leaves_the_optimum_as_it_is(name: str, cut: str, tmp_path: Path) -> None:
    given_ = small(name)
    problem = problem_of(given_, scope(given_))
    assert refuted(problem, without(cut, tmp_path)) == refuted(problem, shipped_rules())
