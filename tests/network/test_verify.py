"""The check of a whole network: nodes on the evaluator's own inputs, outputs beside them."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.judge.simulator import simulate
from offloadasp.model.instance import SearchOptions
from offloadasp.network import execute as executing
from offloadasp.network.convolutions import convolutions, instances
from offloadasp.network.dataset import DataSet, draw_inputs
from offloadasp.network.model import load_model
from offloadasp.network.plan import plan_layer
from offloadasp.network.record import Planned
from offloadasp.network.verify import Verification, expect, verify
from tests.support.onnx_models import Array, evaluated, machine, model, saved

QUICK = SearchOptions(time_limit=0.1, threads=1)
BFLOAT16 = helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)


def verified(
    proto: ModelProto, folder: Path, data: DataSet | None = None, inputs: Any = None
) -> Verification:
    """Plan every layer of a model on a roomy machine, and check the whole."""
    read = load_model(saved(proto, folder))
    chip = machine(2**20, 2**20)
    imported = convolutions(read, chip)
    drawn = data or draw_inputs(read, 0)
    if inputs is not None:
        drawn = DataSet(inputs, None)
    expected = expect(read, imported, drawn, seed=0)
    strategies = {}
    for instance in instances(imported, chip, QUICK):
        found = plan_layer(instance, folder / "out")
        assert isinstance(found, Planned)
        strategies[instance.name] = folder / "out" / found.strategy
    return verify(expected, strategies)


def normal(*shape: int, kind: Any = np.float32, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(kind)


def chain(layers: int, kind: Any = np.float32, ends: str = "Relu") -> ModelProto:
    """So many convolutions, each followed by an operator of one input."""
    nodes, name = [], "x"
    constants = {}
    for k in range(layers):
        constants[f"w{k}"] = normal(4, 4, 3, 3, kind=kind, seed=k) * np.array(0.3, kind)
        nodes += [
            helper.make_node("Conv", [name, f"w{k}"], [f"c{k}"], f"conv{k}", pads=[1] * 4),
            helper.make_node(ends, [f"c{k}"], [f"r{k}"]),
        ]
        name = f"r{k}"
    return model(nodes, {"x": normal(1, 4, 6, 6, kind=kind)}, [name], constants, opset=17)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_rounding_of_any_type_is_no_error_however_deep(kind: Any, tmp_path: Path) -> None:
    shown = verified(chain(6, kind), tmp_path)
    assert shown.verified
    assert len(shown.inner) == 6
    assert all(entry.equal for entry in shown.outputs)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_an_error_of_a_few_units_of_the_type_is_one(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Far below a thousandth for all but the narrowest type.
    part = 400 * float(np.finfo(kind).eps)

    def wrong(*arguments: Any, **options: Any) -> Any:
        replay = simulate(*arguments, **options)
        replay.output[...] += part * np.abs(replay.output).max()
        return replay

    monkeypatch.setattr(executing, "simulate", wrong)
    shown = verified(chain(1, kind), tmp_path)
    assert shown.verified is False


def test_nan_that_both_make_is_no_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = verified(chain(1, ends="Log"), tmp_path)
    assert shown.verified
    assert all(entry.equal for entry in shown.outputs)
    assert capfd.readouterr().err == ""


def test_nan_on_the_way_into_a_node_is_expected_of_it(tmp_path: Path) -> None:
    shown = verified(chain(2, ends="Log"), tmp_path)
    assert shown.verified in (True, None)
    assert shown.verified is None or "NaN" in shown.inner[1].note
    assert not any(entry.equal is False for entry in (*shown.inner, *shown.outputs))


def test_a_node_of_which_some_values_depend_on_nan_is_judged_by_the_others(tmp_path: Path) -> None:
    x = normal(1, 4, 6, 6)
    x[0, 1, 0, 0] = np.nan
    x[0, 2, 5, 5] = np.inf
    shown = verified(chain(1), tmp_path, inputs={"x": x})
    assert shown.verified
    assert "32 of 144 values depend on NaN or infinity" in shown.inner[0].note


def test_what_follows_may_magnify_rounding_and_is_no_verdict(tmp_path: Path) -> None:
    # Rounding of the sums decides which of two nearly equal values is the larger.
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("Mul", ["c", "huge"], ["m"]),
        helper.make_node("Sin", ["m"], ["y"]),
    ]
    constants = {"w": normal(4, 4, 3, 3), "huge": np.array(1e8, np.float32)}
    proto = model(nodes, {"x": normal(1, 4, 6, 6)}, ["y"], constants)
    shown = verified(proto, tmp_path)
    assert shown.verified
    assert shown.outputs[0].max_abs_error > 0.01
    assert shown.outputs[0].equal is False


def recorded(proto: ModelProto, **changes: Any) -> DataSet:
    """Outputs of the evaluator, with something changed."""
    x = normal(1, 4, 6, 6, seed=7)
    y = evaluated(proto, {"x": x}).copy()
    for value in changes.values():
        y = value(y)
    return DataSet({"x": x}, [y])


def _infinite(y: Array) -> Array:
    garbage = normal(*y.shape, seed=9) * np.float32(1000)
    garbage.flat[3] = np.inf
    return garbage


def _slightly(y: Array) -> Array:
    found: Array = (y + np.abs(y).max() * 5e-4).astype(y.dtype)
    return found


def _nan(y: Array) -> Array:
    y.flat[5] = np.nan
    return y


@pytest.mark.parametrize(
    "change",
    [_infinite, _slightly, _nan, lambda y: y[..., :-1], lambda y: y.astype(np.float64)],
    ids=["infinite", "slightly", "nan", "shape", "type"],
)
def test_an_output_that_differs_from_what_was_recorded_is_wrong(
    change: Any, tmp_path: Path
) -> None:
    proto = chain(1)
    shown = verified(proto, tmp_path, recorded(proto, change=change))
    assert shown.verified is False
    assert all(entry.equal for entry in shown.inner)
    right = verified(proto, tmp_path, recorded(proto))
    assert right.verified


def test_a_small_channel_is_compared_by_its_own_size(tmp_path: Path) -> None:
    w = normal(2, 4, 3, 3)
    w[0] *= 10_000
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    proto = model([node], {"x": normal(1, 4, 6, 6)}, ["y"], {"w": w})

    def small_one(y: Array) -> Array:
        y[:, 1] *= np.float32(1.002)
        return y

    assert verified(proto, tmp_path, recorded(proto)).verified
    assert verified(proto, tmp_path, recorded(proto, change=small_one)).verified is False


def test_a_record_that_the_evaluator_does_not_meet_either_is_said(tmp_path: Path) -> None:
    proto = chain(1)
    shown = verified(proto, tmp_path, recorded(proto, change=_slightly))
    assert shown.verified is False
    assert "ONNX's evaluator, without any plan, differs" in shown.outputs[0].note


@pytest.mark.parametrize(("name", "value"), [("ys", 0.0), ("xs", math.nan), ("ws", math.inf)])
def test_a_node_whose_scales_cannot_requantise_is_not_judged(
    name: str, value: float, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    names = ["x", "xs", "z", "w", "ws", "z", "ys", "z"]
    constants: dict[str, Array] = {
        **dict.fromkeys(("xs", "ws", "ys"), np.array(0.1, np.float32)),
        "z": np.array(3, np.uint8),
        "w": generator.integers(0, 256, (2, 1, 3, 3)).astype(np.uint8),
    }
    constants[name] = np.array(value, np.float32)
    node = helper.make_node("QLinearConv", names, ["y"], "conv")
    proto = model([node], {"x": (TensorProto.UINT8, [1, 1, 6, 6])}, ["y"], constants)
    shown = verified(proto, tmp_path)
    assert shown.verified is None
    assert "its scales" in shown.inner[0].note
    assert capfd.readouterr().err == ""


def test_a_node_that_contradicts_itself_is_named_with_the_reason(tmp_path: Path) -> None:
    proto = chain(1)
    constant = numpy_helper.from_array(normal(1, 4, 5, 5), "other")
    proto.graph.initializer.append(constant)
    proto.graph.node.append(helper.make_node("Add", ["r0", "other"], ["s"], "adder"))
    with pytest.raises(InputError, match=r"adder \(Add\): its inputs 1x4x6x6 and 1x4x5x5"):
        verified(proto, tmp_path)


def test_a_shape_that_is_the_evaluator_s_fault_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proto = chain(2)
    real = expect

    def faulty(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        return replace(found, tensors={**found.tensors, "c1": found.tensors["c1"][..., :-1]})

    monkeypatch.setitem(globals(), "expect", faulty)
    shown = verified(proto, tmp_path)
    assert shown.verified is None
    assert shown.inner[0].equal
    assert shown.inner[1].equal is None
    assert "1x4x6x5" in shown.inner[1].note
    assert "1x4x6x6" in shown.inner[1].note


@pytest.mark.parametrize("opset", [10, 13, 17, 18])
def test_quantised_tensors_of_any_opset_are_evaluated(opset: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["wq", "ws"], ["w"], **_axis(opset)),
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["p"]),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    constants: dict[str, Array] = {
        "s": np.array(0.05, np.float32),
        "z": np.array(128, np.uint8),
        "wq": generator.integers(-127, 128, (4, 4, 3, 3)).astype(np.int8),
        "ws": np.array(0.02 if opset < 13 else [0.01, 0.02, 0.03, 0.04], np.float32),
    }
    proto = model(nodes, {"x": normal(1, 4, 6, 6)}, ["y"], constants, opset)
    shown = verified(proto, tmp_path)
    assert shown.verified
    assert shown.outputs[0].equal
    assert shown.outputs[0].tolerance == pytest.approx(0.05, rel=0.01)


def _axis(opset: int) -> dict[str, Any]:
    return {} if opset < 13 else {"axis": 0}


def test_a_node_that_the_evaluator_does_not_know_is_named(tmp_path: Path) -> None:
    proto = chain(1)
    proto.graph.node.append(helper.make_node("Odd", ["r0"], ["o"], "odd one", domain="elsewhere"))
    proto.opset_import.append(helper.make_opsetid("elsewhere", 1))
    with pytest.raises(InputError, match=r"cannot run odd one \(elsewhere.Odd\)"):
        verified(proto, tmp_path)


def test_a_node_in_which_the_evaluator_fails_is_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("Reshape", ["c", "s"], ["y"], "shaper"),
    ]
    inputs: dict[str, Any] = {"x": normal(1, 4, 6, 6), "s": (TensorProto.INT64, [2])}
    proto = model(nodes, inputs, ["y"], {"w": normal(4, 4, 3, 3)})
    data = {"x": normal(1, 4, 6, 6), "s": np.array([5, 5])}
    with pytest.raises(InputError, match=r"cannot run shaper \(Reshape\)"):
        verified(proto, tmp_path, inputs=data)


def test_bfloat16_is_judged_by_its_own_units(tmp_path: Path) -> None:
    w = normal(4, 4, 3, 3).astype(BFLOAT16)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], "conv", pads=[1] * 4)]
    proto = model(nodes, {"x": (TensorProto.BFLOAT16, [1, 4, 6, 6])}, ["y"], {}, opset=22)
    proto.graph.initializer.append(numpy_helper.from_array(w, "w"))
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("y", TensorProto.BFLOAT16, None))
    proto.ir_version = 10
    shown = verified(proto, tmp_path)
    assert shown.verified
    assert 0 < shown.inner[0].tolerance < 0.5


def test_results_too_small_for_the_units_of_their_type_are_no_errors(tmp_path: Path) -> None:
    proto = chain(1)
    x = normal(1, 4, 6, 6) * np.float32(1e-43)
    shown = verified(proto, tmp_path, inputs={"x": x})
    assert shown.verified
    assert shown.outputs[0].equal


def test_sparse_weights_are_evaluated(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    proto = model([node], {"x": normal(1, 4, 6, 6)}, ["y"], {"w": normal(4, 4, 3, 3)})
    dense = numpy_helper.to_array(proto.graph.initializer[0]).copy()
    dense[np.abs(dense) < 1] = 0
    del proto.graph.initializer[:]
    places = np.argwhere(dense)
    values = helper.make_tensor("w", TensorProto.FLOAT, [len(places)], dense[dense != 0])
    indices = helper.make_tensor("", TensorProto.INT64, places.shape, places.ravel())
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, dense.shape))
    shown = verified(proto, tmp_path)
    assert shown.verified
    assert shown.inner[0].spread > 1


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.INT32, TensorProto.BOOL])
@pytest.mark.parametrize("shape", [(2**40, 2**10), (0, 2**62, 8)])
def test_inputs_that_are_too_large_to_be_drawn_are_asked_for(
    shape: tuple[int, ...], kind: int, tmp_path: Path
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    read = load_model(saved(helper.make_model(graph), tmp_path))
    with pytest.raises(InputError, match=r"^--verify: the input x, .*, is too large to be drawn"):
        draw_inputs(read, 0)
