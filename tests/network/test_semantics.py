"""What a node means as a layer: the same numbers as ONNX's evaluator, on any attributes."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from offloadasp.judge.simulator import direct_convolution
from offloadasp.model.instance import Precision
from offloadasp.network.attributes import attributes
from offloadasp.network.convolutions import Convolution, Imported, convolutions
from offloadasp.network.model import load_model
from offloadasp.network.operands import operands
from tests.support.onnx_models import Array, evaluated, machine, model, saved, single


def imported(proto: ModelProto, batch: int | None = None) -> Imported:
    with tempfile.TemporaryDirectory() as folder:
        return convolutions(load_model(saved(proto, Path(folder)), batch), machine())


def as_layer(proto: ModelProto, inputs: dict[str, Array]) -> Array:
    """Compute a model's only node as the layer that is made of it."""
    with tempfile.TemporaryDirectory() as folder:
        read = load_model(saved(proto, Path(folder)))
    (found,) = convolutions(read, machine()).convolutions
    (node,) = proto.graph.node
    known = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer} | inputs
    left = node.input[0] in read.constants
    given_ = [known[name] if name else None for name in node.input]
    ready = operands(found.op, given_, attributes(node), weights_left=left)
    assert len(ready.x) == found.images
    out = ready.finish(direct_convolution(found.layer, ready.x, ready.w, ready.bias))
    assert out.shape == read.shapes["y"]
    return out


def whole_numbers(generator: np.random.Generator, shape: Any, kind: str = "float32") -> Array:
    """Small whole numbers, of which float32 sums are exact in any order."""
    return np.asarray(generator.integers(-8, 9, shape)).astype(kind)


@st.composite
def conv_nodes(draw: st.DrawFn, *, integer: bool = False) -> dict[str, Any]:
    """Shapes and attributes of a convolution of one or two axes."""
    axes = draw(st.integers(1, 2))
    group = draw(st.integers(1, 3))

    def each(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(axes)]

    kernel, strides, dilations = each(1, 3), each(1, 3), each(1, 2)
    auto = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = [draw(st.integers(r, r + 6)) for r in reach]
    at: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": group}
    if auto != "NOTSET":
        at["auto_pad"] = auto
    elif draw(st.booleans()):
        at["pads"] = each(0, 2) + each(0, 2)
    if draw(st.booleans()):
        at["kernel_shape"] = kernel
    channels, kernels = group * draw(st.integers(1, 2)), group * draw(st.integers(1, 2))
    return {
        "x": (draw(st.integers(1, 2)), channels, *sizes),
        "w": (kernels, channels // group, *kernel),
        "bias": not integer and draw(st.booleans()),
        "attributes": at,
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


@settings(deadline=None, max_examples=150)
@given(drawn=conv_nodes())
def test_conv_computes_what_the_evaluator_computes(drawn: dict[str, Any]) -> None:
    generator = np.random.default_rng(drawn["seed"])
    x, w = (whole_numbers(generator, drawn[key]) for key in ("x", "w"))
    constants = {"w": w}
    if drawn["bias"]:
        constants["b"] = whole_numbers(generator, len(w))
    proto = single("Conv", {"x": x}, constants, ["x", *constants], **drawn["attributes"])
    found = as_layer(proto, {"x": x})
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, evaluated(proto, {"x": x}))


@settings(deadline=None, max_examples=60)
@given(
    drawn=conv_nodes(integer=True),
    kinds=st.tuples(st.sampled_from(["int8", "uint8"]), st.sampled_from(["int8", "uint8"])),
    zeros=st.integers(0, 2),
)
def test_conv_integer_computes_what_the_evaluator_computes(
    drawn: dict[str, Any], kinds: tuple[str, str], zeros: int
) -> None:
    generator = np.random.default_rng(drawn["seed"])
    x, w = (full_range(generator, drawn[k], kind) for k, kind in zip("xw", kinds, strict=True))
    constants = {"w": w}
    if zeros > 0:
        constants["xz"] = full_range(generator, (), kinds[0])
    if zeros > 1:
        constants["wz"] = full_range(generator, (), kinds[1])
    order = ["x", "w", "xz", "wz"][: 2 + zeros]
    proto = single("ConvInteger", {"x": x}, constants, order, **drawn["attributes"])
    found = as_layer(proto, {"x": x})
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, evaluated(proto, {"x": x}))


@settings(deadline=None, max_examples=60)
@given(
    drawn=conv_nodes(),
    kind=st.sampled_from(["int8", "uint8"]),
    by_kernel=st.booleans(),
)
def test_qlinear_conv_computes_what_the_evaluator_computes(
    drawn: dict[str, Any], kind: str, by_kernel: bool
) -> None:
    generator = np.random.default_rng(drawn["seed"])
    x, w = (full_range(generator, drawn[key], kind) for key in ("x", "w"))
    # The evaluator takes a scale a kernel for two axes only.
    several = len(w) if by_kernel and w.ndim == 4 else ()
    scalars: dict[str, Any] = {
        "xs": np.float32(0.25),
        "xz": full_range(generator, (), kind),
        "w": w,
        "ws": generator.uniform(0.01, 0.1, several).astype(np.float32),
        "wz": full_range(generator, several, kind),
        "ys": np.float32(2.5),
        "yz": full_range(generator, (), kind),
    }
    constants: dict[str, Array] = {name: np.asarray(value) for name, value in scalars.items()}
    if drawn["bias"]:
        constants["b"] = generator.integers(-1000, 1000, len(w)).astype(np.int32)
    order = ["x", *constants]
    proto = single("QLinearConv", {"x": x}, constants, order, **drawn["attributes"])
    found = as_layer(proto, {"x": x})
    assert found.dtype == kind
    np.testing.assert_array_equal(found, evaluated(proto, {"x": x}))


def full_range(generator: np.random.Generator, shape: Any, kind: str) -> Array:
    limits = np.iinfo(kind)
    return np.asarray(generator.integers(limits.min, limits.max + 1, shape)).astype(kind)


@settings(deadline=None, max_examples=100)
@given(
    sizes=st.tuples(*[st.integers(1, 5)] * 3),
    transposed=st.tuples(st.booleans(), st.booleans()),
    scales=st.tuples(st.sampled_from([0.5, 1.0, -2.0]), st.sampled_from([0.5, 1.0, 4.0])),
    left=st.booleans(),
    bias=st.sampled_from(["none", "scalar", "one", "kernels"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_gemm_computes_what_the_evaluator_computes(
    sizes: tuple[int, int, int],
    transposed: tuple[bool, bool],
    scales: tuple[float, float],
    left: bool,
    bias: str,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    rows, inner, columns = sizes
    a = whole_numbers(generator, (inner, rows) if transposed[0] else (rows, inner))
    b = whole_numbers(generator, (columns, inner) if transposed[1] else (inner, columns))
    constants = {"a": a} if left else {"b": b}
    inputs = {"b": b} if left else {"a": a}
    order = ["a", "b"]
    if bias != "none":
        by_kernel = (rows, 1) if left else (columns,)
        shape = {"scalar": (), "one": (1, 1), "kernels": by_kernel}[bias]
        constants["c"] = whole_numbers(generator, shape)
        order.append("c")
    at = {"transA": transposed[0], "transB": transposed[1], "alpha": scales[0], "beta": scales[1]}
    proto = single("Gemm", inputs, constants, order, **at)
    np.testing.assert_array_equal(as_layer(proto, inputs), evaluated(proto, inputs))


@settings(deadline=None, max_examples=100)
@given(
    stack=st.lists(st.integers(1, 3), max_size=2),
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    left=st.booleans(),
    vectors=st.tuples(st.booleans(), st.booleans()),
    kind=st.sampled_from(["float32", "float64", "int32"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_matmul_computes_what_the_evaluator_computes(
    stack: list[int],
    sizes: tuple[int, int, int],
    left: bool,
    vectors: tuple[bool, bool],
    kind: str,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    rows, inner, columns = sizes
    shapes = [[inner] if vectors[0] else [rows, inner], [inner] if vectors[1] else [inner, columns]]
    moving = 1 if left else 0
    if not vectors[moving]:
        shapes[moving] = [*stack, *shapes[moving]]
    a, b = (whole_numbers(generator, shape, kind) for shape in shapes)
    constants, inputs = ({"a": a}, {"b": b}) if left else ({"b": b}, {"a": a})
    proto = single("MatMul", inputs, constants, ["a", "b"])
    np.testing.assert_array_equal(as_layer(proto, inputs), evaluated(proto, inputs))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("float32", (4, 4, 4, 4)),
        ("float16", (2, 2, 2, 4)),
        ("float64", (8, 8, 8, 8)),
    ],
)
def test_floats_keep_their_sizes_unless_the_machine_converts_them(
    kind: str, expected: tuple[int, ...]
) -> None:
    x, w = np.zeros((1, 1, 4, 4), kind), np.zeros((1, 1, 2, 2), kind)
    proto = single("Conv", {"x": x}, {"w": w}, ["x", "w"])
    (own,) = imported(proto).convolutions
    assert tuple(vars(own.precision).values()) == expected


def test_integers_keep_their_sizes_whatever_the_machine_converts(tmp_path: Path) -> None:
    x, w = np.zeros((1, 1, 4, 4), np.uint8), np.ones((1, 1, 2, 2), np.int8)
    proto = single("ConvInteger", {"x": x}, {"w": w}, ["x", "w"])
    converts = machine(precision=Precision(input=2, weight=2, output=2, partial_sum=8))
    (found,) = convolutions(load_model(saved(proto, tmp_path)), converts).convolutions
    assert found.precision == Precision(input=1, weight=1, output=4, partial_sum=4)


def conv(**changes: Any) -> ModelProto:
    """A convolution with something changed."""
    kind = changes.pop("kind", TensorProto.FLOAT)
    shape = changes.pop("shape", [1, 2, 5, 5])
    w = changes.pop("w", np.ones((2, 2, 3, 3), np.float32))
    constant = changes.pop("constant", True)
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="odd", **changes)
    inputs: dict[str, Any] = {"x": (kind, shape)}
    other = helper.make_node("Conv", ["z", "v"], ["u"], name="fine")
    z, v = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 2, 2), np.float32)
    constants = {"v": v} | ({"w": w} if constant else {})
    if not constant:
        inputs["w"] = w
    return model([node, other], inputs | {"z": z}, ["y", "u"], constants)


@pytest.mark.parametrize(
    ("proto", "reason"),
    [
        (conv(shape=[1, 2, 5, 5, 5], w=np.ones((2, 2, 3, 3, 3), np.float32)), "3-D"),
        (conv(shape=[1, 2, "H", "W"]), "not known before it runs"),
        (conv(shape=[1, 2, 5, "W"]), "not known before it runs"),
        (conv(constant=False), "weight is computed at run time"),
        (conv(pads=[-1, 0, 0, 0]), "negative pads"),
        (conv(shape=[0, 2, 5, 5]), "its input 0x2x5x5 is empty: the input x is declared 0x2x5x5"),
        (conv(shape=[1, 2, 20000, 5]), "16384"),
    ],
    ids=["3-D", "H-and-W", "W", "weight", "pads", "empty", "too-high"],
)
def test_what_cannot_be_offloaded_is_listed_with_its_reason(proto: ModelProto, reason: str) -> None:
    found = imported(proto)
    assert [entry.node for entry in found.convolutions] == ["fine"]
    (skipped,) = found.skipped
    assert (skipped.node, skipped.op) == ("odd", "Conv")
    assert reason in skipped.reason


def test_a_layer_with_more_data_than_is_supported_is_listed() -> None:
    # 60000 kernels of 40000 channels: 2.4 billion weights, made when the model runs.
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("Conv", ["x", "huge"], ["y"], "huge"),
        helper.make_node("Conv", ["x", "w"], ["z"], "fine"),
    ]
    constants = {
        "shape": np.array([60000, 40000, 1, 1]),
        "w": np.ones((1, 40000, 1, 1), np.float32),
    }
    x = (TensorProto.FLOAT, [1, 40000, 1, 1])
    found = imported(model(nodes, {"x": x}, ["y", "z"], constants))
    assert [entry.node for entry in found.convolutions] == ["fine"]
    assert found.skipped[0].node == "huge"
    assert "at most 2147483647 are supported" in found.skipped[0].reason


def test_no_node_that_multiplies_with_weights_is_dropped_silently() -> None:
    w = np.ones((2, 2, 2, 2), np.float32)
    matrix = np.ones((4, 4), np.float32)
    nodes = [
        helper.make_node("ConvTranspose", ["x", "w"], ["t"], "transposed"),
        helper.make_node("MatMul", ["m", "m"], ["s"], "squared"),
        helper.make_node("MatMul", ["k", "k"], ["f"], "folded"),
        helper.make_node("MatMul", ["f", "m"], ["p"], "folded weight"),
        helper.make_node("Gemm", ["m", "k", "m"], ["g"], "moving C"),
        helper.make_node("Gemm", ["m", "k", "k"], ["h"], "C of rows"),
        helper.make_node("Conv", ["x", "w"], ["y"], "fine"),
    ]
    x = np.ones((1, 2, 4, 4), np.float32)
    proto = model(
        nodes, {"x": x, "m": matrix}, ["t", "s", "p", "g", "h", "y"], {"w": w, "k": matrix}
    )
    found = imported(proto)
    assert [entry.node for entry in found.convolutions] == ["folded weight", "fine"]
    reasons = {entry.node: entry.reason for entry in found.skipped}
    assert reasons.keys() == {"transposed", "squared", "folded", "moving C", "C of rows"}
    assert "run time" in reasons["squared"]
    assert "constant" in reasons["folded"]
    assert "C is computed at run time" in reasons["moving C"]
    assert "position to position" in reasons["C of rows"]


def test_a_convolution_in_a_subgraph_is_listed() -> None:
    w = np.ones((1, 1, 2, 2), np.float32)
    branches = [
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], [f"b{k}"])],
            f"branch{k}",
            [],
            [helper.make_tensor_value_info(f"b{k}", TensorProto.FLOAT, [1, 1, 3, 3])],
        )
        for k in range(2)
    ]
    nodes = [
        helper.make_node(
            "If", ["c"], ["i"], "chosen", then_branch=branches[0], else_branch=branches[1]
        ),
        helper.make_node("Conv", ["x", "w"], ["y"], "fine"),
    ]
    x = np.ones((1, 1, 4, 4), np.float32)
    proto = model(nodes, {"x": x, "c": np.array(True)}, ["i", "y"], {"w": w})
    found = imported(proto)
    assert [entry.node for entry in found.convolutions] == ["fine"]
    assert "subgraph" in found.skipped[0].reason


def test_a_symbolic_batch_is_filled_in_everywhere() -> None:
    w = np.ones((1, 1, 2, 2), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "a"),
        helper.make_node("Conv", ["y", "w"], ["z"], "b"),
    ]
    proto = model(nodes, {"x": (TensorProto.FLOAT, ["N", 1, 4, 4])}, ["z"], {"w": w})
    assert [entry.images for entry in imported(proto).convolutions] == [1, 1]
    assert [entry.images for entry in imported(proto, batch=5).convolutions] == [5, 5]


def test_rows_of_a_product_are_positions_that_share_the_weights() -> None:
    proto = single(
        "MatMul",
        {"a": np.ones((2, 3, 4), np.float32)},
        {"b": np.ones((4, 5), np.float32)},
        ["a", "b"],
    )
    (found,) = imported(proto).convolutions
    assert (found.layer.input, found.layer.kernels, found.images) == ((4, 1, 6), 5, 1)


def test_equal_layers_are_one_instance_named_after_the_first_node() -> None:
    w = np.ones((1, 1, 3, 3), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], "stage 1/conv:0", pads=[1] * 4),
        helper.make_node("Conv", ["y", "w"], ["z"], "stage 2/conv:0", auto_pad="SAME_UPPER"),
        helper.make_node("Conv", ["z", "w"], ["v"], "stage 1/conv?0"),
    ]
    x = np.ones((1, 1, 4, 4), np.float32)
    found = imported(model(nodes, {"x": x}, ["v"], {"w": w}))
    names = [(entry.node, entry.name) for entry in found.convolutions]
    assert names == [
        ("stage 1/conv:0", "stage-1-conv-0"),
        ("stage 2/conv:0", "stage-1-conv-0"),
        ("stage 1/conv?0", "stage-1-conv-0-2"),
    ]


def test_the_output_of_an_unnamed_node_names_it() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["gpu_0/conv1_1"])
    x, w = np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 2, 2), np.float32)
    found: list[Convolution] = list(
        imported(model([node], {"x": x}, ["gpu_0/conv1_1"], {"w": w})).convolutions
    )
    assert [(entry.node, entry.name) for entry in found] == [("gpu_0/conv1_1", "gpu_0-conv1_1")]
