"""ONNX models made for the purpose, and ONNX's own recordings, found where the package has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from offloadasp.model.instance import Accelerator, Precision
from offloadasp.network.accelerators import Machine

Array = NDArray[Any]
DATA = Path(onnx.backend.test.__file__).parent / "data"

# Every conformance case of a 1-D or 2-D convolution that the package holds.
CASES = sorted(
    path.parent
    for pattern in (
        "pytorch-converted/test_Conv1d*/model.onnx",
        "pytorch-converted/test_Conv2d*/model.onnx",
        "pytorch-operator/test_operator_conv/model.onnx",
    )
    for path in DATA.glob(pattern)
)
LIGHT = sorted(DATA.glob("light/light_*.onnx"))


def machine(memory: int = 4096, macs: int = 256, precision: Precision | None = None) -> Machine:
    """A machine of the tests' own."""
    accelerator = Accelerator.model_validate(
        {
            "memory": memory,
            "load_cycles": 1,
            "write_cycles": 1,
            "compute_cycles": 16,
            "macs_per_step": macs,
        }
    )
    return Machine(name="tested", accelerator=accelerator, precision=precision)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    constants: Mapping[str, Array],
    opset: int = 13,
) -> ModelProto:
    """Return a model; ``inputs`` are arrays, or pairs of an element type and a shape."""
    values = []
    for name, given in inputs.items():
        if isinstance(given, tuple):
            values.append(helper.make_tensor_value_info(name, *given))
        else:
            kind = helper.np_dtype_to_tensor_dtype(given.dtype)
            values.append(helper.make_tensor_value_info(name, kind, given.shape))
    graph = helper.make_graph(
        list(nodes),
        "tested",
        values,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    # Outputs need a type for the checker; inference finds it.
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = onnx.shape_inference.infer_shapes(made)
    del made.graph.output[:]
    for value in inferred.graph.output:
        typed = value.type.HasField("tensor_type")
        # Where inference gives up, the checker still wants a type.
        some = helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["a", "b", "c", "d"])
        made.graph.output.append(value if typed else some)
    return made


def single(
    op: str,
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array],
    order: Sequence[str],
    **attributes: Any,
) -> ModelProto:
    """Return a model of one node whose inputs are named in their order."""
    node = helper.make_node(op, list(order), ["y"], name=f"the-{op}", **attributes)
    return model([node], inputs, ["y"], constants)


def evaluated(proto: ModelProto, inputs: Mapping[str, Array]) -> Array:
    """Return the first output by ONNX's own evaluator."""
    first, *_ = ReferenceEvaluator(proto).run(None, dict(inputs))
    return np.asarray(first)


def saved(proto: ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    """Write a model and return its path."""
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def small_network(seed: int = 0, batch: int | str = "N") -> ModelProto:
    """A network of every kind of node that is offloaded, and of some that are not.

    1x8x8 → convolution, ReLU → depthwise → pool → the same depthwise layer again, added →
    flattened → Gemm → MatMul; two of its convolutions are equal layers.
    """
    generator = np.random.default_rng(seed)

    def weights(*shape: int) -> Array:
        return generator.normal(size=shape).astype(np.float32)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "first/conv", pads=[1, 1, 0, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "dw/1", group=4, auto_pad="SAME_UPPER"),
        helper.make_node("Conv", ["c2", "w3"], ["c3"], "dw/2", group=4, auto_pad="SAME_LOWER"),
        helper.make_node("Add", ["c2", "c3"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w4", "b4"], ["g"], "fc", transB=1, alpha=0.5, beta=2.0),
        helper.make_node("MatMul", ["g", "w5"], ["y"], "last"),
    ]
    constants = {
        "w1": weights(4, 1, 3, 3),
        "b1": weights(4),
        "w2": weights(4, 1, 3, 3),
        "w3": weights(4, 1, 3, 3),
        "w4": weights(5, 48),
        "b4": weights(5),
        "w5": weights(5, 3),
    }
    return model(nodes, {"x": (TensorProto.FLOAT, [batch, 1, 8, 8])}, ["y"], constants)
