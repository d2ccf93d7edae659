"""Mutants of ONNX models: attributes, ranks, types, external data, initialisers and wiring.

Unlike changed bytes they are still models, so that they get past the parser and into arithmetic.
"""

import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

# What may stand where a size, a stride or an index is expected.
_ODD = (-(2**63), -(2**31), -7, -2, -1, 0, 0, 1, 2, 3, 5, 64, 65536, 2**31, 2**40, 2**62, 2**63 - 1)
_WORDS = (b"", b"SAME_UPPER", b"SAME_LOWER", b"VALID", b"NOTSET", b"x", b"\xff\xfe", b"same_upper")
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e38, -1e38, 1e-45, float("nan"), float("inf"))
_TYPES = (*range(27), 99, 2**31 - 1)
_OPERATORS = (
    "Conv", "ConvInteger", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "Reshape", "MaxPool",
    "Flatten", "Add", "Transpose", "If", "Einsum", "LSTM", "Nothing", "",
)  # fmt: skip
_ATTRIBUTES = (
    "strides", "pads", "dilations", "kernel_shape", "group", "auto_pad", "transA", "transB",
    "alpha", "beta", "axis", "allowzero", "perm", "start", "end", "value", "ceil_mode", "equation",
)  # fmt: skip
_LOCATIONS = ("", "w.bin", "absent.bin", "../w.bin", "/etc/passwd", ".", "a\0b", "w.bin/x")


@cache
def _models() -> tuple[bytes, ...]:
    """Models of few nodes that between them hold every operator that is read."""
    return tuple(made.SerializeToString() for made in (_images(), _quantised(), _sizes()))


def _model(
    nodes: list[NodeProto],
    inputs: dict[str, tuple[int, list[int | str]]],
    outputs: list[str],
    constants: Mapping[str, Any],
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "mutant",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    for value in graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _ones(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def _images() -> ModelProto:
    """Convolutions of both ranks, products, a transposed one, one of another domain."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "c", pads=[1, 1, 1, 1], strides=[1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "r"),
        helper.make_node(
            "Conv", ["r", "d"], ["s"], "s", auto_pad="SAME_UPPER", group=4, strides=[2, 2],
            dilations=[1, 1], kernel_shape=[3, 3],
        ),
        helper.make_node("MaxPool", ["s"], ["p"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "f", axis=1),
        helper.make_node("Gemm", ["f", "m", "b"], ["g"], "g", transB=1, alpha=0.5, beta=2.0),
        helper.make_node("MatMul", ["g", "v"], ["y"], "y"),
        helper.make_node("Conv", ["q", "u"], ["t"], "t", pads=[1, 0]),
        helper.make_node("ConvTranspose", ["r", "w2"], ["a"], "a", strides=[2, 2]),
        helper.make_node("FusedConv", ["r", "w2"], ["o"], "o", domain="com.microsoft"),
    ]  # fmt: skip
    constants = {
        "w": _ones(4, 1, 3, 3), "b": _ones(4), "d": _ones(4, 1, 3, 3), "m": _ones(4, 16),
        "v": _ones(4, 3), "u": _ones(2, 2, 3), "w2": _ones(4, 4, 2, 2),
    }  # fmt: skip
    inputs: dict[str, tuple[int, list[int | str]]] = {
        "x": (TensorProto.FLOAT, ["N", 1, 8, 8]),
        "q": (TensorProto.FLOAT, [1, 2, 5]),
    }
    return _model(nodes, inputs, ["y", "t", "a", "o"], constants)


def _quantised() -> ModelProto:
    """Integers: requantised, and not."""
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", "s", "z", "w", "s", "i", "s", "z", "b"], ["h"], "h",
            auto_pad="SAME_LOWER", strides=[2, 1],
        ),
        helper.make_node("ConvInteger", ["h", "k", "z"], ["y"], "y", pads=[1, 0, 0, 1]),
        helper.make_node("DequantizeLinear", ["h", "s", "z"], ["e"], "e"),
    ]  # fmt: skip
    constants = {
        "s": np.array(0.5, np.float32), "z": np.array(3, np.uint8), "i": np.array(0, np.int8),
        "w": np.ones((2, 1, 3, 3), np.int8), "k": np.ones((2, 2, 2, 2), np.uint8),
        "b": np.arange(2, dtype=np.int32),
    }  # fmt: skip
    made = _model(nodes, {"x": (TensorProto.UINT8, [1, 1, 6, 6])}, ["y", "e"], constants)
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    return made


def _sizes() -> ModelProto:
    """A shape that is computed, a constant in a node, a subgraph, a stated inner shape."""
    value = helper.make_tensor_value_info
    branch = helper.make_graph(
        [helper.make_node("Conv", ["r", "w"], ["inner"])],
        "b",
        [],
        [value("inner", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "s"),
        helper.make_node("Constant", [], ["k"], "k", value=numpy_helper.from_array(np.array([0]))),
        helper.make_node("Gather", ["s", "k"], ["n"], "n", axis=0),
        helper.make_node("Concat", ["n", "t"], ["u"], "u", axis=0),
        helper.make_node("Reshape", ["x", "u"], ["r"], "r"),
        helper.make_node("Conv", ["r", "w"], ["y"], "y", pads=[1, 1, 1, 1]),
        helper.make_node("If", ["c"], ["i"], "i", then_branch=branch, else_branch=branch),
    ]
    constants = {"t": np.array([2, 4, -1]), "w": _ones(2, 2, 3, 3)}
    inputs: dict[str, tuple[int, list[int | str]]] = {
        "x": (TensorProto.FLOAT, ["N", 32]),
        "c": (TensorProto.BOOL, []),
    }
    made = _model(nodes, inputs, ["y", "i"], constants)
    made.graph.value_info.append(value("r", TensorProto.FLOAT, [1, 2, 4, 4]))
    return made


def unbroken() -> list[dict[str, bytes]]:
    """Return the files of the models before any change."""
    return [{"m.onnx": model, "w.bin": bytes(64)} for model in _models()]


def mutant(draw: random.Random) -> dict[str, bytes]:
    """Return the files of a model with one to three changes."""
    proto = ModelProto.FromString(draw.choice(_models()))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        draw.choice(_CHANGES)(proto, draw)
    return {"m.onnx": proto.SerializeToString(), "w.bin": bytes(draw.choice((0, 8, 64, 4096)))}


def _attribute(proto: ModelProto, draw: random.Random) -> None:
    """Change a value of an attribute that is there."""
    entries = [entry for node in proto.graph.node for entry in node.attribute]
    if entries:
        _odd_values(draw.choice(entries), draw)


def _odd_values(entry: AttributeProto, draw: random.Random) -> None:
    change = draw.randrange(6)
    if change == 0:
        entry.type = draw.choice(list(AttributeProto.AttributeType.values()))
    elif change == 1:
        entry.ref_attr_name = "other"
    elif entry.type == AttributeProto.INTS:
        values = _odd_list(list(entry.ints), change, draw)
        del entry.ints[:]
        entry.ints.extend(values)
    elif entry.type == AttributeProto.INT:
        entry.i = draw.choice(_ODD)
    elif entry.type == AttributeProto.FLOAT:
        entry.f = draw.choice(_NUMBERS)
    elif entry.type == AttributeProto.STRING:
        entry.s = draw.choice(_WORDS)
    elif entry.type == AttributeProto.TENSOR:
        _odd_tensor(entry.t, draw)


def _odd_list(values: list[int], change: int, draw: random.Random) -> list[int]:
    if change == 2:
        return values[:-1]
    if change == 3 or not values:
        return [draw.choice(_ODD)] * draw.randrange(6)
    values[draw.randrange(len(values))] = draw.choice(_ODD)
    return values


def _more_attributes(proto: ModelProto, draw: random.Random) -> None:
    """Give a node an attribute that it lacks, has already, or cannot have; or take one."""
    node = draw.choice(proto.graph.node)
    if node.attribute and draw.random() < 0.3:
        del node.attribute[draw.randrange(len(node.attribute))]
        return
    name = draw.choice(_ATTRIBUTES)
    ints = [draw.choice(_ODD) for _ in range(draw.randrange(1, 5))]
    value: object = draw.choice((ints, ints, draw.choice(_ODD), draw.choice(_WORDS), 0.5))
    node.attribute.append(helper.make_attribute(name, value))


def _rank(proto: ModelProto, draw: random.Random) -> None:
    """Change the shape of an input, an output or an inner tensor that the file states."""
    graph = proto.graph
    kind = draw.choice([*graph.input, *graph.output, *graph.value_info]).type.tensor_type
    change = draw.randrange(6)
    if change == 0:
        kind.ClearField("shape")
    elif change == 1:
        kind.shape.dim.add().dim_value = draw.choice(_ODD)
    elif change == 2 and kind.shape.dim:
        del kind.shape.dim[draw.randrange(len(kind.shape.dim))]
    elif kind.shape.dim:
        dim = draw.choice(kind.shape.dim)
        if draw.random() < 0.3:
            dim.dim_param = draw.choice(("N", "M", "", "?"))
        else:
            dim.dim_value = draw.choice(_ODD)


def _type(proto: ModelProto, draw: random.Random) -> None:
    """Change an element type, or what is a tensor into what is none."""
    value = draw.choice([*proto.graph.input, *proto.graph.output, *proto.graph.value_info])
    if draw.random() < 0.1:
        value.type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    elif draw.random() < 0.1:
        value.ClearField("type")
    else:
        value.type.tensor_type.elem_type = draw.choice(_TYPES)


def _initializer(proto: ModelProto, draw: random.Random) -> None:
    _odd_tensor(draw.choice(proto.graph.initializer), draw)


def _odd_tensor(tensor: TensorProto, draw: random.Random) -> None:
    """Change the shape, type, name or data of a tensor."""
    change = draw.randrange(8)
    if change == 0:
        tensor.data_type = draw.choice(_TYPES)
    elif change == 1:
        tensor.dims.append(draw.choice(_ODD))
    elif change == 2 and tensor.dims:
        tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice(_ODD)
    elif change == 3 and tensor.dims:
        del tensor.dims[draw.randrange(len(tensor.dims))]
    elif change == 4:
        tensor.raw_data = tensor.raw_data[: draw.randrange(len(tensor.raw_data) + 1)]
    elif change == 5:
        tensor.float_data.extend([draw.choice(_NUMBERS)] * draw.randrange(1, 5))
    elif change == 6:
        tensor.name = draw.choice(("", "x", "other", "y"))
    else:
        # Every other value is as good as this one, but shapes are made of it.
        values = b"".join(draw.choice(_ODD).to_bytes(8, "little", signed=True) for _ in range(9))
        tensor.raw_data = values[: len(tensor.raw_data)]


def _external(proto: ModelProto, draw: random.Random) -> None:
    """Put the data of a tensor into a file of its own, or claim so."""
    tensors = [*proto.graph.initializer]
    tensors += [a.t for n in proto.graph.node for a in n.attribute if a.HasField("t")]
    tensor = draw.choice(tensors)
    tensor.data_location = TensorProto.EXTERNAL
    if draw.random() < 0.8:
        tensor.ClearField("raw_data")
    entries = {
        "location": draw.choice((*_LOCATIONS, "w.bin", "w.bin", "w.bin")),
        "offset": draw.choice(("0", "0", "-1", "abc", "", "1e3", "4096", str(2**63), " 8", "0x8")),
        "length": draw.choice(("36", "32", "-4", "x", "", str(2**62), "0", "1.5")),
        "checksum": "none",
        "nothing": "1",
    }
    for key in draw.sample(list(entries), draw.randrange(6)):
        tensor.external_data.add(key=key, value=entries[key])


def _wiring(proto: ModelProto, draw: random.Random) -> None:
    """Change what a node is, takes or makes, or where it stands."""
    graph = proto.graph
    node = draw.choice(graph.node)
    names = [name for other in graph.node for name in (*other.input, *other.output)]
    change = draw.randrange(7)
    if change == 0:
        node.op_type = draw.choice(_OPERATORS)
    elif change == 1:
        node.domain = draw.choice(("", "ai.onnx", "com.microsoft", "ai.onnx.ml", "elsewhere"))
    elif change == 2 and node.input:
        node.input[draw.randrange(len(node.input))] = draw.choice((*names, "", "nowhere"))
    elif change == 3 and node.output:
        node.output[draw.randrange(len(node.output))] = draw.choice((*names, "", "new"))
    elif change == 4:
        del node.input[draw.randrange(len(node.input) + 1) :]
    elif change == 5:
        node.name = draw.choice(("", "a\nb\x1b[31m", "../../x", "é" * 300, "%s{}"))
    else:
        graph.node.append(draw.choice(graph.node))


def _versions(proto: ModelProto, draw: random.Random) -> None:
    """Change the versions that the model states, or what it says of its initialisers."""
    change = draw.randrange(4)
    if change == 0:
        proto.opset_import[0].version = draw.choice((1, 6, 7, 9, 10, 11, 13, 18, 19, 21, 22, 23))
    elif change == 1:
        proto.ir_version = draw.choice((1, 3, 4, 7, 9, 10, 11))
    elif change == 2:
        tensor = draw.choice(proto.graph.initializer)
        shape = draw.choice((list(tensor.dims), list(tensor.dims)[1:], [1, 1]))
        value = helper.make_tensor_value_info(tensor.name, tensor.data_type, shape)
        proto.graph.input.append(value)
    else:
        graph = proto.graph
        tensor = draw.choice(graph.initializer)
        graph.initializer.remove(tensor)


_CHANGES: tuple[Callable[[ModelProto, random.Random], None], ...] = (
    _attribute,
    _attribute,
    _more_attributes,
    _more_attributes,
    _rank,
    _rank,
    _type,
    _initializer,
    _initializer,
    _external,
    _wiring,
    _versions,
)
