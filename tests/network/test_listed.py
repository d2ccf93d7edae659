"""What is listed: every node that multiplies with a constant, unless it is known to be harmless."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from offloadasp.base.errors import InputError
from offloadasp.network.convolutions import Imported, convolutions
from offloadasp.network.model import load_model
from offloadasp.network.multiplying import _HARMLESS
from offloadasp.network.plan import Failed
from offloadasp.network.totals import totals
from tests.support.onnx_models import Array, machine, saved

F = TensorProto.FLOAT


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


def beside_a_convolution(
    *nodes: NodeProto, domains: tuple[str, ...] = (), **constants: Array
) -> ModelProto:
    """Nodes beside a convolution `fine` of x, 1x4x6x6, with outputs of any shape."""
    value = helper.make_tensor_value_info
    fine = helper.make_node("Conv", ["x", "k"], ["fine_y"], "fine")
    all_nodes = [fine, *nodes]
    graph = helper.make_graph(
        all_nodes,
        "tested",
        [
            value("x", F, [1, 4, 6, 6]),
            value("v", F, [2, 4]),
            value("c", TensorProto.BOOL, []),
            value("seq", F, [5, 2, 3]),
        ],
        [value(name, F, None) for node in all_nodes for name in node.output[:1]],
        [
            numpy_helper.from_array(array, name)
            for name, array in {"k": ones(1, 4, 3, 3), **constants}.items()
        ],
    )
    opsets = [helper.make_opsetid("", 20), *(helper.make_opsetid(name, 1) for name in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def listed(proto: ModelProto, folder: Path) -> Imported:
    return convolutions(load_model(saved(proto, folder)), machine())


def branch(node: NodeProto, name: str, *tensors: TensorProto) -> GraphProto:
    out = helper.make_tensor_value_info(node.output[0], F, None)
    return helper.make_graph([node], name, [], [out], [*tensors])


def choice(inner: Any, name: str, out: str) -> NodeProto:
    """An If whose branches hold what ``inner`` makes for the name of an output."""
    branches = [branch(inner(f"{out}_{k}"), f"{name}-{k}") for k in range(2)]
    return helper.make_node(
        "If", ["c"], [out], name, then_branch=branches[0], else_branch=branches[1]
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    ("op", "domain"), [("Conv", ""), ("MatMul", ""), ("LSTM", ""), ("Fused", "elsewhere")]
)
def test_a_node_in_subgraphs_of_any_depth_is_listed(
    depth: int, op: str, domain: str, tmp_path: Path
) -> None:
    def deep(level: int, out: str) -> NodeProto:
        if level == 0:
            inputs = {"LSTM": ["seq", "w3", "w3"], "MatMul": ["v", "w2"]}.get(op, ["x", "w"])
            more: dict[str, Any] = {"hidden_size": 2} if op == "LSTM" else {}
            return helper.make_node(op, inputs, [out], f"deep-{out}", domain=domain, **more)
        return choice(lambda inner: deep(level - 1, inner), f"level-{level}-{out}", out)

    outer = deep(depth, "o")
    constants = {"w": ones(1, 4, 3, 3), "w2": ones(4, 4), "w3": ones(1, 8, 3)}
    proto = beside_a_convolution(outer, domains=("elsewhere",), **constants)
    (skipped,) = listed(proto, tmp_path).skipped
    assert skipped.op == "If"
    name = f"{domain}.{op}" if domain else op
    assert f"holds {name} in a subgraph" in skipped.reason


def test_a_constant_inside_a_subgraph_counts(tmp_path: Path) -> None:
    inner = helper.make_node("Fused", ["x", "own"], ["b"], "deep", domain="elsewhere")
    own = numpy_helper.from_array(ones(4, 4), "own")
    other = helper.make_node("Identity", ["x"], ["d"])
    node = helper.make_node(
        "If",
        ["c"],
        ["o"],
        "outer",
        then_branch=branch(inner, "a", own),
        else_branch=branch(other, "b"),
    )
    (skipped,) = listed(beside_a_convolution(node, domains=("elsewhere",)), tmp_path).skipped
    assert skipped.node == "outer"


def test_a_subgraph_of_harmless_nodes_is_not_listed(tmp_path: Path) -> None:
    node = choice(lambda out: helper.make_node("Add", ["x", "w"], [out]), "outer", "o")
    assert listed(beside_a_convolution(node, w=ones(4, 6, 6)), tmp_path).skipped == ()


@pytest.mark.parametrize("domain", ["com.microsoft", "com.example", "ai.onnx.contrib"])
@pytest.mark.parametrize(("shape", "counts"), [((4, 4), True), ((2, 1, 1), True), ((4,), False)])
def test_a_node_of_any_domain_with_a_constant_matrix_is_listed(
    domain: str, shape: tuple[int, ...], counts: bool, tmp_path: Path
) -> None:
    node = helper.make_node("Anything", ["v", "w"], ["o"], "odd", domain=domain)
    found = listed(beside_a_convolution(node, domains=(domain,), w=ones(*shape)), tmp_path)
    assert bool(found.skipped) == counts
    if counts:
        assert domain in found.skipped[0].reason
        assert "x".join(map(str, shape)) in found.skipped[0].reason


def test_a_constant_that_nodes_compute_counts_as_one_that_is_stored(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["wq", "s"], ["w"]),
        helper.make_node("Anything", ["v", "w"], ["o"], "odd", domain="elsewhere"),
    ]
    constants: dict[str, Array] = {"wq": np.ones((4, 4), np.int8), "s": np.array(0.5, np.float32)}
    found = listed(beside_a_convolution(*nodes, domains=("elsewhere",), **constants), tmp_path)
    assert [entry.node for entry in found.skipped] == ["odd"]


def test_a_constant_in_an_attribute_counts(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(ones(4, 4))
    node = helper.make_node("Plugin", ["v"], ["o"], "odd", domain="elsewhere", weights=weight)
    found = listed(beside_a_convolution(node, domains=("elsewhere",)), tmp_path)
    assert [entry.node for entry in found.skipped] == ["odd"]


@pytest.mark.parametrize(
    ("op", "inputs"),
    [("QLinearAdd", ["x", "w"]), ("SkipLayerNormalization", ["x", "w"]), ("Gelu", ["w"])],
)
def test_harmless_operators_of_onnx_runtime_are_not_listed(
    op: str, inputs: list[str], tmp_path: Path
) -> None:
    node = helper.make_node(op, inputs, ["o"], "odd", domain="com.microsoft")
    found = listed(beside_a_convolution(node, domains=("com.microsoft",), w=ones(4, 4)), tmp_path)
    assert found.skipped == ()


def test_every_standard_operator_is_harmless_or_multiplies() -> None:
    # Those that sum products with an operand, by the manual of ONNX.
    multiply = {
        "Attention", "CausalConvWithState", "Conv", "ConvInteger", "ConvTranspose", "DFT",
        "DeformConv", "Det", "Einsum", "GRU", "Gemm", "LSTM", "LinearAttention", "MatMul",
        "MatMulInteger", "QLinearConv", "QLinearMatMul", "RNN", "STFT",
    }  # fmt: skip
    known = {s.name for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""}
    assert not multiply & _HARMLESS
    # A new operator is listed until somebody has looked at it.
    assert known <= multiply | _HARMLESS


def test_a_model_with_nothing_but_a_nested_convolution_says_where_it_is(tmp_path: Path) -> None:
    node = choice(
        lambda out: choice(lambda o: helper.make_node("Conv", ["x", "k"], [o]), "inner" + out, out),
        "outer",
        "o",
    )
    proto = beside_a_convolution(node)
    del proto.graph.node[0], proto.graph.output[0]
    with pytest.raises(InputError, match=r"outer \(If\): holds Conv in a subgraph"):
        listed(proto, tmp_path)


@pytest.mark.parametrize(
    ("node", "constants", "macs"),
    [
        # By hand: elements of the output times the window, or of the input for transposed ones.
        (
            helper.make_node("ConvTranspose", ["x", "w"], ["o"], "n"),
            {"w": ones(4, 3, 2, 2)},
            4 * 6 * 6 * 3 * 2 * 2,
        ),
        (
            helper.make_node("FusedConv", ["x", "w"], ["o"], "n", domain="com.microsoft"),
            {"w": ones(5, 4, 3, 3)},
            5 * 4 * 4 * 4 * 3 * 3,
        ),
        (helper.make_node("MatMul", ["v", "v2"], ["o"], "n"), {}, 2 * 4 * 3),
        (
            helper.make_node("Einsum", ["v", "w"], ["o"], "n", equation="ab,bc->ac"),
            {"w": ones(4, 7)},
            56,
        ),
        (
            helper.make_node("LSTM", ["seq", "w", "r"], ["o"], "n", hidden_size=2),
            {"w": ones(1, 8, 3), "r": ones(1, 8, 2)},
            5 * 2 * (8 * 3 + 8 * 2),
        ),
        (
            helper.make_node("Plugin", ["x", "w"], ["o"], "n", domain="com.microsoft"),
            {"w": ones(4, 3, 2, 2)},
            None,
        ),
    ],
    ids=["transposed", "fused", "product", "einsum", "lstm", "unknown"],
)
def test_totals_count_what_is_not_offloaded(
    node: NodeProto, constants: dict[str, Array], macs: int | None, tmp_path: Path
) -> None:
    proto = beside_a_convolution(node, domains=("com.microsoft",), **constants)
    proto.graph.input.append(helper.make_tensor_value_info("v2", F, [4, 3]))
    found = listed(proto, tmp_path)
    assert [entry.macs for entry in found.skipped] == [macs]
    # The convolution itself without a strategy: 16 outputs of 36 products.
    outcomes = {"fine": Failed("fine", 4, "")}
    total = totals(found, outcomes, machine().accelerator)
    assert total.macs_left == 16 * 36 + (macs or 0)
    assert total.unknown == (macs is None)


@pytest.mark.parametrize("op", ["FusedMatMul", "MultiHeadAttention", "GroupQueryAttention"])
def test_fused_products_of_tensors_that_are_computed_are_listed(op: str, tmp_path: Path) -> None:
    node = helper.make_node(op, ["v", "v", "v"], ["o"], "fused", domain="com.microsoft")
    proto = beside_a_convolution(node, domains=("com.microsoft",))
    (skipped,) = listed(proto, tmp_path).skipped
    assert (skipped.node, skipped.macs) == ("fused", None)
    assert "computed at run time" in skipped.reason
