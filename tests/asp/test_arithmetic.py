"""Sums at the edge of clingo's 32 bits: refused or left to exact arithmetic, never wrapped."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offloadasp.asp.facts import fits_clingo, scale_of
from offloadasp.asp.rules import shipped_rules
from offloadasp.base.errors import InputError
from offloadasp.bounds import lower_bound
from offloadasp.judge.by_rules import read_by_rules
from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import Instance, Layer, Precision, Resolved
from offloadasp.model.problem import CLINGO_LIMIT, Problem, problem_of, undivided
from offloadasp.model.strategy import load
from tests.encodings.test_evict import refuted
from tests.engines.exhaustive import optimal_duration
from tests.support.invoking import instance, offload_asp
from tests.support.layers import accelerator, problem_with

RULES = shipped_rules()
FLAT = Layer(input=(1, 1, 4), kernels=1, kernel_shape=(1, 2))


def undivided_problem(layer: Layer, load: int = 1, write: int = 1, compute: int = 1) -> Problem:
    chip = accelerator(10**6, load, write, compute)
    return problem_with(layer, chip, Precision(), undivided(layer))


@settings(max_examples=200, deadline=None)
@given(
    load=st.integers(0, 10**9),
    write=st.integers(0, 10**9),
    compute=st.integers(0, 10**9),
    steps=st.integers(1, 200),
)
def test_what_fits_has_no_sum_beyond_the_limit(
    load: int, write: int, compute: int, steps: int
) -> None:
    problem = undivided_problem(FLAT, load=load, write=write, compute=compute)
    scale = scale_of(problem)
    largest = steps * (problem.all_bytes * (scale.load + scale.write) + scale.compute)
    if fits_clingo(problem, steps):
        assert largest + problem.all_bytes <= CLINGO_LIMIT
    else:
        assert largest + problem.all_bytes > CLINGO_LIMIT


@pytest.mark.parametrize("more", [0, 1])
def test_the_edge_is_exact(more: int) -> None:
    # Rates without a common factor stay as they are.
    blocks, steps = undivided_problem(FLAT).all_bytes, 3
    compute = (CLINGO_LIMIT - blocks - steps * 2 * blocks) // steps
    problem = undivided_problem(FLAT, load=1, write=1, compute=compute + more)
    assert scale_of(problem).load == 1
    assert fits_clingo(problem, steps) == (more == 0)


def test_rates_are_rescaled_before_they_are_too_large() -> None:
    large = undivided_problem(FLAT, load=10**9, write=10**9, compute=10**9)
    assert fits_clingo(large, 50)
    odd = undivided_problem(FLAT, load=10**9, write=10**9 - 1, compute=10**9)
    assert not fits_clingo(odd, 50)


RATES: dict[str, tuple[Fraction | int, ...]] = {
    "at the edge": (99_999_989, 1, 1),
    "beyond it": (999_999_937, 999_999_929, 7),
    "fractions": (Fraction(1, 999_999_937), Fraction(1, 3), Fraction(10**9)),
    "largest": (10**9, 10**9 - 1, 10**9),
}


@pytest.mark.parametrize("name", RATES)
def test_durations_are_exact_and_optimal_at_any_rates(name: str, tmp_path: Path) -> None:
    load_, write, compute = (f'"{Fraction(rate)}"' for rate in RATES[name])
    path = instance(tmp_path, load_cycles=load_, write_cycles=write, compute_cycles=compute)
    out = tmp_path / "out"
    ran = offload_asp("run", path, "--out", out, "--budget", "60", "--json")
    found = ran.json
    strategy = load(out / "tiny.strategy.json")
    assert Fraction(found["duration"]) == strategy.duration
    assert simulate(strategy).duration == strategy.duration
    assert read_by_rules(strategy, RULES).duration == strategy.duration
    exact = found["loads"]["bytes"] * Fraction(RATES[name][0])
    exact += found["writes"]["bytes"] * Fraction(RATES[name][1])
    assert strategy.duration == exact + found["steps"] * Fraction(RATES[name][2])
    optimum = optimal_duration(strategy.problem)
    assert optimum is not None
    assert strategy.lower_bound <= optimum <= strategy.duration
    if found["status"] == "optimal":
        assert strategy.duration == optimum


def test_where_added_rules_would_be_solved_in_sums_too_large_they_are_refused(
    tmp_path: Path,
) -> None:
    rule = tmp_path / "harmless.lp"
    rule.write_text(":- steps(0).\n")
    rates = {"load_cycles": "999999937", "write_cycles": "999999929", "compute_cycles": "7"}
    ran = offload_asp("run", instance(tmp_path, **rates), "--encoding", rule, "--json")
    assert ran.code == 4
    assert "too large to solve under the added rules" in ran.error_line


def test_much_work_a_step_times_steps_does_not_wrap_the_pace_cut() -> None:
    """Three steps' work of this layer is more than 32 bits hold; transfers cost nothing."""
    layer = Layer(input=(2**12, 1, 4), kernels=2**16, kernel_shape=(1, 1))
    problem = problem_with(
        layer,
        accelerator(memory=2**40, load=0, write=0, compute=1, macs=3 * 2**28),
        Precision(partial_sum=1),
        undivided(layer),
    )
    assert problem.total_windows < CLINGO_LIMIT
    assert CLINGO_LIMIT < 3 * 3 * 2**28
    # Not within 32 bits, so it is not left to clingo.
    assert not fits_clingo(problem, 3)
    small = layer.model_copy(update={"kernels": 2**8})
    chip = accelerator(2**40, load=0, write=0, macs=3 * 2**20)
    fits = problem_with(small, chip, Precision(), undivided(small))
    assert fits_clingo(fits, 3)
    assert refuted(fits) == 2 == lower_bound(fits).value


def test_a_layer_s_bytes_end_where_32_bits_do() -> None:
    """An input of 2^15 bytes, kernels of as many, and two bytes an output."""
    for kernels in (2**16 - 3, 2**16 - 2):
        layer = Layer(input=(2**15, 1, 1), kernels=kernels, kernel_shape=(1, 1))
        precision = Precision(output=1, partial_sum=2)
        described = Instance(
            name="edge", layer=layer, accelerator=accelerator(), precision=precision
        )
        total = 2**15 + kernels * (2**15 + 2)
        if total <= CLINGO_LIMIT:
            assert problem_of(described, undivided(layer)).all_bytes == total
        else:
            with pytest.raises(InputError, match=f"take {total} bytes; at most {CLINGO_LIMIT}"):
                problem_of(described, undivided(layer))


def test_the_rules_count_bytes_up_to_the_edge(tmp_path: Path) -> None:
    """A layer of almost 2^31 bytes is checked to the byte."""
    layer = Layer(input=(2**15, 1, 1), kernels=2**15, kernel_shape=(1, 1))
    precision = Precision(input=1, weight=1, output=64, partial_sum=64)
    problem = problem_with(
        layer,
        accelerator(memory=2**40, macs=2**40),
        precision,
        Resolved(kernel_groups=((0, 2**15),), channel_groups=((0, 2**15),)),
    )
    assert 2**30 < problem.all_bytes < CLINGO_LIMIT
    steps = [
        {
            "load": {"pixels": [[0, 0, 1, 0, 1]], "kernels": [[0, 0]]},
            "compute": [[0, 0, 0, 1, 0, 1]],
        },
        {
            "free": {"pixels": [[0, 0, 1, 0, 1]], "kernels": [[0, 0]]},
            "write": {"outputs": [[0, 0, 1, 0, 1]]},
        },
    ]
    data = {
        "instance": problem.resolved_instance().model_dump(mode="json"),
        "duration": 0, "lower_bound": 0, "status": "feasible", "steps": steps,
    }  # fmt: skip
    path = tmp_path / "large.json"
    path.write_text(json.dumps(data))
    verdict = read_by_rules(load(path), RULES)
    assert verdict.accepted
    assert verdict.counts.peak == problem.all_bytes == 2**15 + 2**30 + 2**21
    assert verdict.duration == problem.all_bytes + 1


def test_facts_say_where_clingo_s_sums_would_wrap(tmp_path: Path) -> None:
    assert "%" not in offload_asp("facts", instance(tmp_path)).out
    rates = {"load_cycles": "999999937", "write_cycles": "999999929"}
    text = offload_asp("facts", instance(tmp_path, **rates)).out
    assert text.startswith("% Costs of 5 steps can leave clingo's 32-bit integers")
