"""Shapes come from inputs and weights: nothing that a file states of inner tensors decides them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.network.convolutions import Imported, convolutions
from offloadasp.network.model import Model, load_model
from tests.support.onnx_models import Array, machine, saved

F, I = TensorProto.FLOAT, TensorProto.INT64  # noqa: E741 (ONNX's types)
Value = tuple[str, int, list[int | str | None] | None]


def weights(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def made(
    nodes: list[Any],
    inputs: list[Value],
    outputs: list[Value],
    constants: dict[str, Array],
    stored: list[Value] = [],  # noqa: B006 (read only)
    ir_version: int = 8,
) -> ModelProto:
    """A model exactly as told: nothing of it is inferred."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tested",
        [value(*entry) for entry in inputs],
        [value(*entry) for entry in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
        value_info=[value(*entry) for entry in stored],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def read(proto: ModelProto, folder: Path, batch: int | None = None) -> tuple[Model, Imported]:
    model = load_model(saved(proto, folder), batch)
    return model, convolutions(model, machine())


def two_convolutions(*stored: Value, out: list[int | str | None] | None = None) -> ModelProto:
    """x, of a symbolic batch -> convolution -> y -> convolution -> z."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "first", pads=[1] * 4),
        helper.make_node("Conv", ["y", "w"], ["z"], "second", pads=[1] * 4),
    ]
    shape: list[int | str | None] = ["N", 2, 6, 6]
    return made(
        nodes, [("x", F, shape)], [("z", F, out or shape)], {"w": weights(2, 2, 3, 3)}, [*stored]
    )


def test_a_stale_inner_shape_is_ignored_with_a_note(tmp_path: Path) -> None:
    stale = two_convolutions(("y", F, [1, 2, 6, 6]))
    model, found = read(stale, tmp_path, batch=4)
    assert [entry.images for entry in found.convolutions] == [4, 4]
    (note,) = model.notes
    for word in ("y", "1x2x6x6", "4x2x6x6", "ignored"):
        assert word in note


def test_a_stale_inner_size_is_ignored_as_a_stale_batch_is(tmp_path: Path) -> None:
    model, found = read(two_convolutions(("y", F, ["N", 2, 9, 9])), tmp_path)
    assert [entry.layer.input for entry in found.convolutions] == [(2, 6, 6), (2, 6, 6)]
    assert len(model.notes) == 1


def test_an_inner_shape_that_is_right_is_no_news(tmp_path: Path) -> None:
    model, _ = read(two_convolutions(("y", F, ["N", 2, 6, 6])), tmp_path, batch=3)
    assert model.notes == ()


@pytest.mark.parametrize("batch", [None, 4])
def test_a_declared_output_that_cannot_be_is_refused(batch: int | None, tmp_path: Path) -> None:
    shape: list[int | str | None] = [1 if batch else 2, 2, 6, 6]
    with pytest.raises(InputError, match=r"output z is declared .x2x6x6") as error:
        read(two_convolutions(out=shape), tmp_path, batch)
    assert f"make {batch or 1}x2x6x6" in str(error.value)


def reshaped(target: list[int], batch: int | str = "N") -> ModelProto:
    """A convolution, its output reshaped to a constant shape, and a matrix product."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "conv"),
        helper.make_node("Reshape", ["y", "s"], ["r"], "shaper"),
        helper.make_node("MatMul", ["r", "m"], ["z"], "product"),
    ]
    constants = {
        "w": weights(2, 2, 3, 3),
        "s": np.array(target),
        "m": weights(32, 3),
    }
    return made(nodes, [("x", F, [batch, 2, 6, 6])], [("z", F, ["A", 3])], constants)


@pytest.mark.parametrize("target", [[1, 32], [1, -1], [2, 16]])
def test_a_batch_that_a_constant_shape_contradicts_is_refused(
    target: list[int], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"--batch 4 cannot be: (shaper|product)"):
        read(reshaped(target), tmp_path, batch=4)


def test_a_batch_that_fits_is_carried_through_a_shape(tmp_path: Path) -> None:
    _, found = read(reshaped([-1, 32]), tmp_path, batch=4)
    runs = [(entry.layer.input, entry.images) for entry in found.convolutions]
    assert runs == [((2, 6, 6), 4), ((32, 1, 4), 1)]


def test_a_batch_that_constant_sizes_of_an_image_contradict_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "", "s"], ["r"], "bigger", mode="nearest"),
        helper.make_node("Conv", ["r", "w"], ["y"], "conv"),
    ]
    constants = {"s": np.array([1, 2, 6, 6]), "w": weights(2, 2, 3, 3)}
    proto = made(nodes, [("x", F, ["N", 2, 3, 3])], [("y", F, None)], constants)
    assert len(read(proto, tmp_path)[1].convolutions) == 1
    with pytest.raises(InputError, match=r"--batch 4 cannot be: bigger.*1x2x6x6.*4x2x3x3"):
        read(proto, tmp_path, batch=4)


def test_the_default_batch_is_refused_as_any_other_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"batch of 1, the default, cannot be.*--batch says"):
        read(reshaped([8, 32]), tmp_path)


def test_a_shape_that_no_batch_explains_is_the_node_s_own_fault(tmp_path: Path) -> None:
    _, found = read(reshaped([1, 32], batch=4), tmp_path)
    assert [entry.node for entry in found.convolutions] == ["conv"]
    (skipped,) = found.skipped
    assert skipped.node == "product"
    assert "shaper (Reshape), which cannot be" in skipped.reason


def test_a_node_that_cannot_run_and_is_no_layer_is_noted_with_both_shapes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "conv"),
        helper.make_node("Add", ["y", "p"], ["z"], "position"),
    ]
    constants = {"w": weights(2, 2, 3, 3), "p": weights(1, 2, 5, 5)}
    proto = made(nodes, [("x", F, [1, 2, 6, 6])], [("z", F, None)], constants)
    model, found = read(proto, tmp_path)
    assert [entry.node for entry in found.convolutions] == ["conv"]
    (note,) = model.notes
    for word in ("position (Add) cannot run", "1x2x4x4", "1x2x5x5"):
        assert word in note


UNFIT: list[tuple[str, list[str], dict[str, Array], dict[str, Any], str, str]] = [
    ("Gemm", ["x", "w"], {"w": weights(10, 64)}, {"transB": 1}, "10x64", "1x36"),
    ("Gemm", ["x", "w"], {"w": weights(64, 10)}, {}, "64x10", "1x36"),
    ("Gemm", ["x", "w", "c"], {"w": weights(36, 10), "c": weights(9)}, {}, "9", "1x10"),
    ("MatMul", ["x", "w"], {"w": weights(64, 10)}, {}, "64x10", "1x36"),
    ("MatMul", ["w", "x"], {"w": weights(10, 64)}, {}, "10x64", "1x36"),
]


@pytest.mark.parametrize(("op", "order", "constants", "at", "one", "other"), UNFIT)
def test_a_product_whose_factors_do_not_fit_is_listed_with_both_shapes(
    op: str,
    order: list[str],
    constants: dict[str, Array],
    at: dict[str, Any],
    one: str,
    other: str,
    tmp_path: Path,
) -> None:
    nodes = [
        helper.make_node("Conv", ["i", "k"], ["j"], "fine"),
        helper.make_node(op, order, ["y"], "unfit", **at),
    ]
    proto = made(
        nodes,
        [("x", F, [1, 36]), ("i", F, [1, 1, 4, 4])],
        [("y", F, ["a", "b"]), ("j", F, [1, 1, 2, 2])],
        constants | {"k": weights(1, 1, 3, 3)},
    )
    _, found = read(proto, tmp_path)
    assert [entry.node for entry in found.convolutions] == ["fine"]
    (skipped,) = found.skipped
    assert skipped.node == "unfit"
    assert one in skipped.reason
    assert other in skipped.reason


@pytest.mark.parametrize(
    ("w", "bias", "at", "one", "other"),
    [
        ((4, 3, 3, 3), None, {}, "4x3x3x3", "1x2x6x6"),
        ((4, 2, 3, 3), None, {"group": 2}, "4x2x3x3", "1x2x6x6"),
        ((3, 1, 3, 3), None, {"group": 2}, "3 kernels", "2 groups"),
        ((4, 2, 3), None, {}, "4x2x3", "1x2x6x6"),
        ((4, 2, 3, 3), (5,), {}, "bias 5", "4x2x3x3"),
        ((4, 2, 3, 3), (1,), {}, "bias 1", "4x2x3x3"),
        ((4, 2, 3, 3), (1, 4), {}, "bias 1x4", "4x2x3x3"),
        ((4, 2, 3, 3), None, {"kernel_shape": [3, 2]}, "4x2x3x3", "3x2"),
    ],
)
def test_a_convolution_whose_inputs_do_not_fit_is_listed_with_both_shapes(
    w: tuple[int, ...],
    bias: tuple[int, ...] | None,
    at: dict[str, Any],
    one: str,
    other: str,
    tmp_path: Path,
) -> None:
    constants = {"w": weights(*w), "k": weights(1, 2, 3, 3)}
    if bias is not None:
        constants["b"] = weights(*bias)
    names = ["x", "w", "b"] if bias else ["x", "w"]
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["j"], "fine"),
        helper.make_node("Conv", names, ["y"], "unfit", **at),
    ]
    proto = made(
        nodes,
        [("x", F, [1, 2, 6, 6])],
        [("j", F, [1, 1, 4, 4]), ("y", F, ["a", "b", "c", "d"])],
        constants,
    )
    _, found = read(proto, tmp_path)
    assert [entry.node for entry in found.convolutions] == ["fine"]
    (skipped,) = found.skipped
    assert one in skipped.reason
    assert other in skipped.reason


def test_a_shape_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    target, kernel = np.array([1, 2, 4, 4]), weights(2, 2, 3, 3)
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["r"]),
        helper.make_node("Conv", ["r", "w"], ["y"], "conv"),
    ]
    proto = made(nodes, [("x", F, [1, 32])], [("y", F, [1, 2, 2, 2])], {"s": target, "w": kernel})
    data = b""
    for tensor in proto.graph.initializer:
        raw = tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entries = {"location": "all.bin", "offset": len(data), "length": len(raw)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=str(value))
        data += raw
    (tmp_path / "all.bin").write_bytes(data)
    _, found = read(proto, tmp_path)
    assert [entry.layer.input for entry in found.convolutions] == [(2, 4, 4)]


def test_a_shape_that_nodes_compute_from_sizes_is_followed(tmp_path: Path) -> None:
    # view(n, 8, numel / 48, -1): ONNX's own inference gives up on the product and the quotient.
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("ReduceProd", ["s"], ["p"], keepdims=1),
        helper.make_node("Div", ["p", "many"], ["d"]),
        helper.make_node("Concat", ["n", "eight", "d", "minus"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("Conv", ["r", "w"], ["y"], "conv"),
    ]
    constants = {
        "zero": np.array([0]),
        "eight": np.array([8]),
        "many": np.array([48]),
        "minus": np.array([-1]),
        "w": weights(1, 8, 3, 3),
    }
    proto = made(nodes, [("x", F, ["N", 288])], [("y", F, ["N", 1, 4, 4])], constants)
    _, found = read(proto, tmp_path)
    assert [entry.layer.input for entry in found.convolutions] == [(8, 6, 6)]


def test_sizes_of_which_some_are_open_are_followed_by_onnx_s_inference(tmp_path: Path) -> None:
    # Height and width are open, but what the view keeps is not.
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Concat", ["n", "minus"], ["t"], axis=0),
        helper.make_node("Reshape", ["p", "t"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"], "product"),
    ]
    constants = {"zero": np.array([0]), "minus": np.array([-1]), "w": weights(8, 3)}
    proto = made(nodes, [("x", F, ["N", 8, "H", "W"])], [("y", F, ["N", 3])], constants)
    _, found = read(proto, tmp_path, batch=5)
    assert [entry.layer.input for entry in found.convolutions] == [(8, 1, 5)]


def unknown_between(*stored: Value, batch: int | str = 1) -> ModelProto:
    """A convolution, an operator that nobody knows, and another convolution."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "first", pads=[1] * 4),
        helper.make_node("Mystery", ["y"], ["u"], "odd", domain="com.microsoft"),
        helper.make_node("Conv", ["u", "w"], ["z"], "second", pads=[1] * 4),
    ]
    shape: list[int | str | None] = [batch, 2, 6, 6]
    return made(nodes, [("x", F, shape)], [("z", F, None)], {"w": weights(2, 2, 3, 3)}, [*stored])


def test_the_operator_that_hides_a_shape_is_named(tmp_path: Path) -> None:
    _, found = read(unknown_between(), tmp_path)
    (skipped,) = found.skipped
    assert skipped.node == "second"
    assert "the type of its input, which com.microsoft.Mystery makes, is not known" in (
        skipped.reason
    )


def test_a_stated_shape_is_believed_with_a_note_where_nothing_else_tells_it(
    tmp_path: Path,
) -> None:
    model, found = read(unknown_between(("u", F, [1, 2, 5, 5])), tmp_path)
    assert [entry.layer.input for entry in found.convolutions] == [(2, 6, 6), (2, 5, 5)]
    (note,) = model.notes
    assert "of u" in note
    assert "believed" in note


def test_a_stated_shape_of_another_batch_is_not_believed(tmp_path: Path) -> None:
    _, found = read(unknown_between(("u", F, [1, 2, 6, 6]), batch="N"), tmp_path, batch=4)
    assert [entry.node for entry in found.convolutions] == ["first"]
    assert [entry.node for entry in found.skipped] == ["second"]


def test_an_output_without_a_shape_is_accepted(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    proto = made([node], [("x", F, [1, 2, 6, 6])], [("y", F, None)], {"w": weights(1, 2, 3, 3)})
    model, found = read(proto, tmp_path)
    assert len(found.convolutions) == 1
    assert model.shapes["y"] == (1, 1, 4, 4)


def test_a_negative_size_is_none_and_a_batch_where_one_is_given(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    proto = made([node], [("x", F, [-1, 2, 6, 6])], [("y", F, None)], {"w": weights(1, 2, 3, 3)})
    with pytest.raises(InputError, match=r"-1, which is none.*symbolic dimension.*--batch"):
        read(proto, tmp_path)
    _, found = read(proto, tmp_path, batch=3)
    assert [entry.images for entry in found.convolutions] == [3]


def test_an_input_that_contradicts_its_initializer_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    inputs: list[Value] = [("x", F, [1, 2, 6, 6]), ("w", F, [1, 2, 5, 5])]
    proto = made([node], inputs, [("y", F, None)], {"w": weights(1, 2, 3, 3)})
    with pytest.raises(InputError, match=r"input w is declared 1x2x5x5.*1x2x3x3"):
        read(proto, tmp_path)


def quantised(**changes: Any) -> ModelProto:
    """A QLinearConv of x with some of its constants changed, beside a convolution."""
    one, zero = np.array(0.5, np.float32), np.array(3, np.uint8)
    constants: dict[str, Array] = {
        "xs": one, "xz": zero, "w": np.ones((2, 1, 3, 3), np.uint8), "ws": one, "wz": zero,
        "ys": one, "yz": zero, "k": weights(1, 1, 3, 3), **changes,
    }  # fmt: skip
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", *(["b"] if "b" in changes else [])]
    nodes = [
        helper.make_node("QLinearConv", names, ["y"], "quantised"),
        helper.make_node("Conv", ["f", "k"], ["z"], "fine"),
    ]
    shape: list[int | str | None] = [1, 1, 3, 3]
    inputs: list[Value] = [("x", TensorProto.UINT8, shape), ("f", F, shape)]
    return made(nodes, inputs, [("y", TensorProto.UINT8, None), ("z", F, None)], constants)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("xs", np.ones(3, np.float32), "input's scale 3 is not a single number"),
        ("xz", np.ones(3, np.uint8), "input's zero point 3 is not a single number"),
        ("ys", np.ones(2, np.float32), "output's scale 2 is not a single number"),
        ("yz", np.ones(2, np.uint8), "output's zero point 2 is not a single number"),
        ("wz", np.array(3, np.int8), "the types of its inputs do not fit"),
        ("b", np.ones(2, np.float32), "the types of its inputs do not fit"),
    ],
)
def test_scales_and_zero_points_must_fit(
    name: str, value: Array, what: str, tmp_path: Path
) -> None:
    _, imported = read(quantised(**{name: value}), tmp_path)
    (skipped,) = imported.skipped
    assert what in skipped.reason


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_single_number_may_have_an_axis(shape: tuple[int, ...], tmp_path: Path) -> None:
    zero = np.full(shape, 3, np.uint8)
    _, imported = read(quantised(xz=zero, yz=zero), tmp_path)
    assert imported.skipped == ()


def test_a_batch_of_0_is_taken_as_one_that_is_not_known(tmp_path: Path) -> None:
    proto = two_convolutions()
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0
    _, imported = read(proto, tmp_path, batch=3)
    assert [entry.images for entry in imported.convolutions] == [3, 3]
    with pytest.raises(InputError, match="the input x is declared 0x2x6x6"):
        read(proto, tmp_path)


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0)])
def test_an_empty_factor_is_named(sizes: tuple[int, int], tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["p"], "product"),
        helper.make_node("Conv", ["x", "w"], ["y"], "fine"),
    ]
    inputs: list[Value] = [("x", F, [1, 2, 6, 6]), ("a", F, list(sizes))]
    constants = {"w": weights(2, 2, 3, 3), "b": weights(sizes[1], 5)}
    proto = made(nodes, inputs, [("p", F, None), ("y", F, None)], constants)
    (skipped,) = read(proto, tmp_path)[1].skipped
    assert "is empty" in skipped.reason
