"""The simulator: valid plans verify on real tensors; every rule, when broken, is named."""

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offloadasp.base.errors import InputError
from offloadasp.judge.simulator import (
    RULES,
    Loads,
    Replay,
    TraceRow,
    Violation,
    Writes,
    chip,
    simulate,
)
from offloadasp.judge.simulator import replay as replaying
from offloadasp.judge.simulator.account import Actions
from offloadasp.judge.simulator.blocks import Blocks, Box
from offloadasp.judge.simulator.convolution import convolve
from offloadasp.judge.simulator.tensors import Array, Tensors, is_poison
from offloadasp.model.instance import Layer, Precision, Resolved, ResolvedInstance
from offloadasp.model.problem import Problem
from offloadasp.model.strategy import Step, Strategy, steps_of
from tests.engines.mutants import GAP, HALO, MUTANTS, SPILL, VALID, Json, Mutant, mutant, put
from tests.engines.plans import (
    LEAN,
    MIXED,
    PRELOADING,
    SPILLING,
    THRIFTY,
    Habits,
    cost,
    fitted,
    grouped,
    make_plan,
    operations,
    problem,
    random_plan,
    strategy_of,
)
from tests.support.layers import PRECISIONS, layers, on_accelerator
from tests.support.oracles import draw_tensors, onnx_convolution, scipy_convolution

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Small layers of every kind with any even groups and rational rates."""
    layer = draw(layers())
    rates = st.fractions(0, 10, max_denominator=12)
    return problem(
        layer,
        kernel_groups=draw(st.integers(1, layer.kernels)),
        channel_groups=draw(st.integers(1, layer.input[0])),
        precision=draw(PRECISIONS),
        load_cycles=draw(rates),
        write_cycles=draw(rates),
        compute_cycles=draw(rates),
        mac_cycles=draw(st.sampled_from([Fraction(0), Fraction(2, 31)])),
    )


def uncosted(problem: Problem, steps: tuple[Step, ...]) -> Strategy:
    """Steps that may be invalid, with a duration of no meaning."""
    return Strategy(
        instance=problem.resolved_instance(),
        duration=Fraction(0),
        lower_bound=Fraction(0),
        status="feasible",
        steps=steps,
    )


# Valid plans verify


@settings(deadline=None, max_examples=60)
@given(problem=problems(), seed=SEEDS)
def test_random_plans_verify_bit_for_bit_at_exactly_the_cost_counted_block_by_block(
    problem: Problem, seed: int
) -> None:
    plan = random_plan(problem, seed)
    tight = fitted(problem, plan)
    x, w, bias = draw_tensors(problem.layer, "int8", seed)
    found = simulate(strategy_of(tight, plan), x, w, bias)
    assert found.violations == ()
    assert found.verified
    assert found.max_abs_error == 0
    assert found.tolerance == 0
    expected = scipy_convolution(problem.layer, _wide(x), _wide(w), _wide(bias))
    np.testing.assert_array_equal(found.output, expected)
    counted = cost(tight, plan)
    assert found.duration == counted.duration
    assert found.peak_memory == counted.memory
    assert max(row.macs for row in found.trace) == counted.macs
    assert found.compute_steps == plan.counts.actions


def _wide(tensor: Any) -> Any:
    return None if tensor is None else tensor.astype(np.int64)


@settings(deadline=None, max_examples=24)
@given(problem=problems(), habits=st.sampled_from([LEAN, THRIFTY, SPILLING, PRELOADING, MIXED]),
       size=st.integers(1, 6), seed=SEEDS)  # fmt: skip
def test_habits_and_step_sizes_make_no_difference_to_the_result(
    problem: Problem, habits: Habits, size: int, seed: int
) -> None:
    plan = make_plan(problem, grouped(operations(problem), size), habits, seed)
    assert simulate(strategy_of(fitted(problem, plan), plan), seed=seed).verified


@settings(deadline=None, max_examples=24)
@given(problem=problems(), dtype=st.sampled_from(["float16", "float32", "float64"]), seed=SEEDS)
def test_floats_are_accumulated_in_float64_within_the_tolerance(
    problem: Problem, dtype: str, seed: int
) -> None:
    strategy = strategy_of(problem, random_plan(problem, seed))
    x, w, bias = draw_tensors(problem.layer, dtype, seed, batch=2)
    found = simulate(strategy, x, w, bias)
    assert found.verified
    assert found.output.dtype == np.float64
    terms = int(np.prod(w.shape[1:]))
    largest = terms * float(abs(x).max()) * float(abs(w).max())
    largest += 0 if bias is None else float(abs(bias).max())
    assert found.tolerance == pytest.approx(1e-9 * largest)
    wide = (x.astype(float), w.astype(float), None if bias is None else bias.astype(float))
    theirs = onnx_convolution(problem.layer, *wide, "Conv")
    assert abs(found.output - theirs).max() <= found.tolerance


@settings(deadline=None, max_examples=24)
@given(problem=problems(), seed=SEEDS)
def test_integers_too_large_for_float64_are_computed_exactly(problem: Problem, seed: int) -> None:
    x, w, bias = draw_tensors(problem.layer, "int64", seed)
    x, w = x * 2**20 + 1, w * 2**20 + 1
    x.flat[0] = w.flat[0] = 2**27
    found = simulate(strategy_of(problem, random_plan(problem, seed)), x, w, bias)
    assert found.verified
    np.testing.assert_array_equal(found.output, scipy_convolution(problem.layer, x, w, bias))


@settings(deadline=None, max_examples=20)
@given(problem=problems(), batch=st.integers(1, 3), seed=SEEDS)
def test_a_batch_gives_what_its_images_give_one_by_one(
    problem: Problem, batch: int, seed: int
) -> None:
    strategy = strategy_of(problem, random_plan(problem, seed))
    x, w, bias = draw_tensors(problem.layer, "int16", seed, batch)
    together = simulate(strategy, x, w, bias)
    alone = [simulate(strategy, image, w, bias) for image in x]
    np.testing.assert_array_equal(together.output, np.stack([one.output for one in alone]))
    assert together.trace == alone[0].trace
    assert together.verified


@settings(deadline=None, max_examples=20)
@given(problem=problems(), seed=SEEDS, dtype=st.sampled_from(["int8", "int64", "float64"]),
       product=st.sampled_from([1, 2**18]), small=st.sampled_from([0, 2**10]))  # fmt: skip
def test_cutting_boxes_into_small_products_changes_nothing(
    problem: Problem, seed: int, dtype: str, product: int, small: int
) -> None:
    everything = make_plan(problem, [operations(problem)])
    x, w, bias = draw_tensors(problem.layer, dtype, seed)
    if dtype == "int64":
        x = x * 2**40
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chip, "_PRODUCT_LIMIT", product)
        patch.setattr(chip, "_SMALL_PRODUCT", small)
        assert simulate(strategy_of(problem, everything), x, w, bias).verified


def test_depthwise_layers_with_many_channels_in_one_group_verify() -> None:
    layer = Layer(input=(48, 9, 9), kernels=96, kernel_shape=(3, 3), group=48, bias=True)
    for kernel_groups, channel_groups in ((1, 1), (5, 7), (96, 48)):
        cut = problem(layer, kernel_groups=kernel_groups, channel_groups=channel_groups)
        pairs = cut.exists.count
        plan = make_plan(cut, grouped(operations(cut), 7 * pairs), THRIFTY)
        assert simulate(strategy_of(fitted(cut, plan), plan)).verified


def test_tensors_that_are_not_given_are_drawn_from_the_seed() -> None:
    strategy = halo()
    one, same, other = (simulate(strategy, seed=seed).output for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    kernel = np.array([[[[1, 0], [0, 0]]]])
    x = np.arange(6).reshape(1, 2, 3)
    np.testing.assert_array_equal(simulate(strategy, x, kernel).output, [[[0, 1]]])


def test_a_tensor_that_does_not_fit_the_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r"input: has shape 2 x 3; shape 1 x 2 x 3,"):
        simulate(halo(), np.ones((2, 3)))


# Strategies made by hand, with costs added up by hand


def halo() -> Strategy:
    return Strategy.model_validate(HALO)


def test_halo_is_counted_as_by_hand() -> None:
    found = simulate(halo())
    assert found.verified
    assert found.loads == Loads(pixels=6, kernels=4, partial_sums=0)
    assert found.writes == Writes(outputs=2, partial_sums=0)
    assert (found.loads.total, found.writes.total) == (10, 2)
    assert (found.compute_steps, found.peak_memory) == (2, 9)
    assert found.duration == 32
    assert found.trace == (
        TraceRow(1, freed=0, written=0, loaded=8, on_chip=9, macs=4, cycles=Fraction(18)),
        TraceRow(2, freed=2, written=1, loaded=2, on_chip=9, macs=4, cycles=Fraction(13)),
        TraceRow(3, freed=8, written=1, loaded=0, on_chip=0, macs=0, cycles=Fraction(1)),
    )


def test_spilling_is_counted_as_by_hand() -> None:
    found = simulate(Strategy.model_validate(SPILL))
    assert found.verified
    assert found.loads == Loads(pixels=4, kernels=2, partial_sums=4)
    assert found.writes == Writes(outputs=2, partial_sums=4)
    assert (found.compute_steps, found.peak_memory) == (3, 11)
    assert found.duration == 46
    assert [row.on_chip for row in found.trace] == [11, 6, 6, 0]


def test_an_output_larger_than_its_partial_sum_counts_while_it_is_completed() -> None:
    data = copy.deepcopy(SPILL)
    data["instance"]["precision"] = {"input": 1, "weight": 1, "output": 9, "partial_sum": 4}
    data["duration"] += 16  # two outputs of nine bytes instead of one
    found = simulate(Strategy.model_validate(data))
    assert found.verified
    # partial sums 4 + 4, pixels 2, kernel 1; then output 9, pixel 1, kernel 1
    assert [row.on_chip for row in found.trace] == [11, 11, 11, 0]


def test_an_output_complete_in_one_step_never_holds_partial_sums() -> None:
    found = simulate(Strategy.model_validate(GAP))
    assert found.verified
    assert found.peak_memory == 2 + 1 + 2


def test_outputs_of_no_bytes_are_written_at_no_cost() -> None:
    data = copy.deepcopy(HALO)
    data["instance"]["precision"] = {"output": 0}
    data["duration"] -= 2
    assert simulate(Strategy.model_validate(data)).verified


def test_rates_are_exact_fractions() -> None:
    data = copy.deepcopy(HALO)
    data["instance"]["accelerator"] |= {"load_cycles": "1/3", "write_cycles": "1/7"}
    data["duration"] = "496/21"  # 10/3 + 2/7 + 20
    found = simulate(Strategy.model_validate(data))
    assert found.verified
    assert found.duration == Fraction(10, 3) + Fraction(2, 7) + 20


def test_a_tile_does_not_change_what_boxes_mean() -> None:
    data = copy.deepcopy(HALO)
    data["instance"]["decomposition"]["tile"] = [1, 2]
    assert simulate(Strategy.model_validate(data)).verified


def test_freeing_and_loading_in_one_step_is_valid() -> None:
    data = copy.deepcopy(HALO)
    data["steps"][1]["free"]["pixels"] = [[0, 0, 2, 0, 2]]
    data["steps"][1]["load"]["pixels"] = [[0, 0, 2, 1, 3]]
    data["duration"] += 2
    assert simulate(Strategy.model_validate(data)).verified


# Every rule, when broken, is named


@pytest.mark.parametrize("broken", MUTANTS, ids=lambda m: " ".join(map(str, sorted(m.expected)[0])))
def test_mutants_break_exactly_the_rules_they_should(broken: Mutant) -> None:
    found = simulate(broken.strategy)
    assert not found.verified
    named = {(v.step, v.rule, v.block) for v in found.violations}
    assert len(named) == len(found.violations)
    assert named - {(0, "duration", "")} == broken.expected


@pytest.mark.parametrize("base", VALID)
def test_what_is_mutated_is_valid(base: str) -> None:
    found = simulate(Strategy.model_validate(VALID[base]))
    assert found.violations == ()
    assert found.verified


def test_a_partial_sum_that_is_not_reloaded_spoils_the_output_and_counts_as_on_chip() -> None:
    broken = mutant(SPILL, "", put(3, "load.partial_sums", []))
    found = simulate(broken.strategy)
    np.testing.assert_array_equal(np.isnan(found.output), [[[True, False]]])
    assert found.max_abs_error == np.inf
    assert [row.on_chip for row in found.trace] == [11, 6, 6, 0]


def test_every_rule_has_a_mutant() -> None:
    named = {rule for broken in MUTANTS for _, rule, _ in broken.expected}
    assert named | {"duration", "objective", "bound"} == set(RULES)


@pytest.mark.parametrize(
    "state",
    [
        {"duration": 31},
        {"duration": "65/2"},
        {"objective": {"name": "duration", "value": 31, "lower_bound": 0}},
    ],
)
def test_a_stated_duration_must_be_the_replayed_one(state: Json) -> None:
    found = simulate(Strategy.model_validate(HALO | state))
    assert found.violations == (Violation(0, "duration", ""),)
    assert found.duration == 32
    assert not found.verified


@pytest.mark.parametrize("name", ["traffic", "peak_memory"])
@pytest.mark.parametrize("wrong", [0, -1, 1])
def test_a_stated_objective_must_be_the_replayed_one(name: str, wrong: int) -> None:
    plain = simulate(Strategy.model_validate(HALO))
    true = {"traffic": plain.loads.total + plain.writes.total, "peak_memory": plain.peak_memory}
    stated = true | {name: true[name] + wrong}
    parts = [{"name": n, "value": value, "lower_bound": 0} for n, value in stated.items()]
    objective = parts[0] | {"name": "traffic,peak_memory", "then": parts[1:]}
    found = simulate(Strategy.model_validate(HALO | {"objective": objective}))
    assert found.violations == ((Violation(0, "objective", name),) if wrong else ())
    assert found.verified == (not wrong)


@pytest.mark.parametrize(
    "state",
    [
        {"status": "optimal", "lower_bound": 32},
        {"lower_bound": 32},
        {"status": "optimal", "objective": {"name": "loads", "value": 10, "lower_bound": 10}},
        {"objective": {"name": "duration", "value": 32, "lower_bound": 31}},
    ],
)
def test_bounds_up_to_the_value_are_accepted(state: Json) -> None:
    assert simulate(Strategy.model_validate(HALO | state)).verified


@pytest.mark.parametrize(
    "state",
    [
        {"lower_bound": 33},
        {"lower_bound": 33, "objective": {"name": "loads", "value": 10, "lower_bound": 10}},
        {"status": "optimal", "lower_bound": 31},
        {"status": "optimal", "objective": {"name": "loads", "value": 10, "lower_bound": 9}},
        {"objective": {"name": "loads", "value": 10, "lower_bound": 11}},
    ],
)
def test_bounds_that_contradict_value_or_status_are_refused(state: Json) -> None:
    found = simulate(Strategy.model_validate(HALO | state))
    assert found.violations == (Violation(0, "bound", ""),)
    assert not found.verified


def test_a_violation_reads_as_one_line() -> None:
    text = str(Violation(3, "use_absent", "pixel(3,4,0)"))
    assert (
        text == "step 3: pixel(3,4,0): computing needs the block, which is not on chip (use_absent)"
    )
    assert str(Violation(3, "macs", "")).startswith("step 3: the compute action")


def test_a_strategy_without_steps_computes_nothing() -> None:
    found = simulate(Strategy.model_validate(HALO | {"steps": [], "duration": 0}))
    rules = [(v.step, v.rule, v.block) for v in found.violations]
    assert rules == [(0, "never_computed", "op(0,0,0,0)"), (0, "never_computed", "op(0,1,0,0)")]
    assert np.isnan(found.output).all()
    assert found.max_abs_error == np.inf


def test_the_list_of_violations_is_cut_but_not_the_verdict() -> None:
    layer = Layer(input=(1, 40, 40), kernels=1, kernel_shape=(1, 1))
    found = simulate(uncosted(problem(layer), ()))
    assert len(found.violations) == 1000
    assert not found.verified
    found = simulate(uncosted(problem(layer), (Step(),) * 1100))
    assert found.violations == tuple(Violation(t, "empty_step", "") for t in range(1, 1001))


# Mutants of random plans

REMOVED: dict[str, tuple[str, ...]] = {
    "load_pixels": ("use_absent",),
    "load_kernels": ("use_absent",),
    "load_partial_sums": ("use_absent",),
    "free_pixels": ("load_present", "left_on_chip"),
    "free_kernels": ("load_present", "left_on_chip"),
    "write_outputs": ("left_on_chip",),
    "write_partial_sums": ("load_present",),
    "compute": ("never_computed",),
}


@settings(deadline=None, max_examples=60)
@given(problem=problems(), table=st.sampled_from(sorted(REMOVED)), seed=SEEDS, data=st.data())
def test_removing_any_action_is_noticed_at_the_block_it_concerns(
    problem: Problem, table: str, seed: int, data: st.DataObject
) -> None:
    plan = random_plan(problem, seed)
    rows = getattr(plan, table)
    assume(len(rows) > 0)
    k = data.draw(st.integers(0, len(rows) - 1))
    broken = replace(plan, **{table: np.delete(rows, k, axis=0)})
    found = simulate(uncosted(problem, steps_of(broken)), seed=seed)
    assert not found.verified
    step, *block = rows[k].tolist()
    named = [v for v in found.violations if v.block == name(table, block)]
    assert {v.rule for v in named} & set(REMOVED[table])
    assert all(v.step >= step for v in found.violations if v.step)


def name(table: str, block: list[int]) -> str:
    kind = {"pixels": "pixel", "kernels": "kernel", "compute": "op"}
    kind |= {"outputs": "output", "sums": "output"}
    keys = 2 if table == "compute" else 1
    order = block if table.endswith("kernels") else block[keys:] + block[:keys]
    return f"{kind[table.rsplit('_', 1)[-1]]}({','.join(map(str, order))})"


@settings(deadline=None, max_examples=24)
@given(problem=problems(), seed=SEEDS)
def test_one_byte_or_one_operation_too_many_is_noticed_where_it_happens(
    problem: Problem, seed: int
) -> None:
    plan = random_plan(problem, seed)
    least = cost(problem, plan)
    good = strategy_of(problem, plan)
    peaks = {row.step for row in simulate(good).trace if row.on_chip == least.memory}
    busy = {row.step for row in simulate(good).trace if row.macs == least.macs}
    for key, value, steps in (
        ("memory", least.memory - 1, peaks),
        ("macs_per_step", least.macs - 1, busy),
    ):
        assume(value > 0)
        chip = problem.accelerator.model_copy(update={key: value})
        found = simulate(strategy_of(on_accelerator(problem, chip), plan))
        rule = "macs" if key == "macs_per_step" else key
        assert set(found.violations) == {Violation(step, rule, "") for step in steps}


@settings(deadline=None, max_examples=24)
@given(problem=problems(), seed=SEEDS, data=st.data())
def test_computing_an_operation_again_is_noticed_and_counted_once(
    problem: Problem, seed: int, data: st.DataObject
) -> None:
    plan = random_plan(problem, seed)
    k = data.draw(st.integers(0, len(plan.compute) - 1))
    step, *operation = plan.compute[k].tolist()
    again = data.draw(st.integers(step + 1, plan.steps))
    row = np.array([[again, *operation]])
    broken = replace(plan, compute=np.concatenate([plan.compute, row]))
    found = simulate(uncosted(problem, steps_of(broken)), seed=seed)
    assert Violation(again, "compute_twice", name("compute", operation)) in found.violations
    assert not found.verified


# Poison and the comparison stand by themselves


def resolved(layer: Layer, groups: int = 1) -> ResolvedInstance:
    return problem(layer, channel_groups=groups).resolved_instance()


@pytest.mark.parametrize("scale", [1, 2**40])
@pytest.mark.parametrize("missing", ["pixel", "kernel", "partial sum", "nothing"])
def test_absent_data_poisons_whatever_is_computed_from_it(missing: str, scale: int) -> None:
    layer = Layer(input=(2, 1, 3), kernels=2, kernel_shape=(1, 2), pads=(0, 1, 0, 0))
    dtype = np.float64 if scale == 1 else np.int64
    x = np.arange(6).reshape(2, 1, 3).astype(dtype) * scale
    w = np.ones((2, 2, 1, 2), dtype)
    machine = chip.Chip(Blocks(resolved(layer, groups=2)), x, w, None)
    # Pixel (0, 1) of the second channel group is used by the outputs at columns 1 and 2.
    second: list[Box] = (
        [(1, 0, 1, 0, 1), (1, 0, 1, 2, 3)] if missing == "pixel" else [(1, 0, 1, 0, 3)]
    )
    machine.run(
        Actions(
            load_pixels=[(0, 0, 1, 0, 3)],
            load_kernels=[(0, 0)],
            create=[(0, 0, 1, 0, 3)] if missing != "partial sum" else [(0, 0, 1, 1, 3)],
            compute=[(0, 0, 0, 1, 0, 3)],
        )
    )
    machine.run(
        Actions(
            load_pixels=second,
            load_kernels=[] if missing == "kernel" else [(0, 1)],
            compute=[(0, 1, 0, 1, 0, 3)],
        )
    )
    machine.run(Actions(write_outputs=[(0, 0, 1, 0, 3)]))
    spoilt = {"pixel": [1, 2], "kernel": [0, 1, 2], "partial sum": [0], "nothing": []}[missing]
    expected = np.zeros((2, 1, 3), bool)
    expected[..., spoilt] = True
    np.testing.assert_array_equal(is_poison(machine.result), expected)


def test_what_left_the_chip_is_poisoned() -> None:
    layer = Layer(input=(1, 1, 2), kernels=1, kernel_shape=(1, 1))
    machine = chip.Chip(Blocks(resolved(layer)), np.ones((1, 1, 2)), np.ones((1, 1, 1, 1)), None)
    loads = Actions(load_pixels=[(0, 0, 1, 0, 2)], load_kernels=[(0, 0)])
    machine.run(loads)
    machine.run(
        Actions(
            free_pixels=[(0, 0, 1, 0, 1)],
            create=[(0, 0, 1, 0, 2)],
            compute=[(0, 0, 0, 1, 0, 2)],
        )
    )
    machine.run(Actions(write_outputs=[(0, 0, 1, 0, 2)]))
    np.testing.assert_array_equal(machine.result, [[[np.nan, 1.0]]])
    # Written, it is no longer on chip: writing again brings poison.
    machine.run(Actions(write_outputs=[(0, 0, 1, 1, 2)]))
    np.testing.assert_array_equal(machine.result, [[[np.nan, np.nan]]])
    # A partial sum that was loaded is no longer in main memory.
    machine.run(Actions(create=[(0, 0, 1, 0, 2)]))
    machine.run(Actions(write_partial_sums=[(0, 0, 1, 0, 2)]))
    np.testing.assert_array_equal(machine.result, [[[0.0, 0.0]]])
    machine.run(Actions(load_partial_sums=[(0, 0, 1, 0, 1)]))
    np.testing.assert_array_equal(machine.result, [[[np.nan, 0.0]]])


@pytest.mark.parametrize("dtype", ["int8", "int64", "float64"])
def test_a_single_wrong_output_fails_the_numeric_check(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = 2**30 if dtype == "int64" else 1
    x = np.ones((1, 2, 3), dtype) * np.array(scale, dtype)
    w = np.ones((1, 1, 2, 2), dtype) * np.array(scale, dtype)

    def off(layer: Layer, tensors: Tensors) -> Array:
        out = convolve(layer, tensors)
        out[0, 0, 0, 1] += 3
        return out

    monkeypatch.setattr(replaying, "convolve", off)
    found: Replay = simulate(halo(), x, w)
    assert found.violations == ()
    assert found.max_abs_error == 3
    assert not found.verified


def test_blocks_cost_what_their_kernels_and_channels_cost() -> None:
    # Kernels 0-2 see channels 0-1, kernels 3-5 see channels 2-3; groups cut across.
    layer = Layer(input=(4, 1, 1), kernels=6, kernel_shape=(1, 1), group=2, bias=True)
    instance = problem(
        layer, precision=Precision(input=3, weight=5, output=7, partial_sum=11)
    ).resolved_instance()
    cut = Resolved(kernel_groups=((0, 2), (2, 5), (5, 6)), channel_groups=((0, 1), (1, 4)))
    blocks = Blocks(instance.model_copy(update={"decomposition": cut}))
    assert blocks.pairs == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)]
    assert (blocks.first, blocks.needed) == ([0, 0, 1], [2, 2, 1])
    assert [blocks.pixel_bytes(q) for q in (0, 1)] == [3, 9]
    assert [blocks.output_bytes(n) for n in (0, 1, 2)] == [14, 21, 7]
    assert [blocks.partial_bytes(n) for n in (0, 1, 2)] == [22, 33, 11]
    # windows: (0,0) 2*1; (0,1) 2*1; (1,0) 1*1; (1,1) 1*1 + 2*2; (2,1) 1*2; the bias rides first
    assert blocks.kernel_bytes(0, 0) == 5 * 2 + 22
    assert blocks.kernel_bytes(0, 1) == 5 * 2
    assert blocks.kernel_bytes(1, 0) == 5 * 1 + 33
    assert blocks.kernel_bytes(1, 1) == 5 * 5
    assert blocks.kernel_bytes(2, 1) == 5 * 2 + 11
