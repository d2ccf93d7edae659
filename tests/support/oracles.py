"""Convolutions that nobody here wrote: SciPy, ONNX's reference evaluator, recordings of PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from scipy.signal import correlate

from offloadasp.model.instance import Layer

Array = NDArray[Any]
DATA = Path(onnx.backend.test.__file__).parent / "data" / "pytorch-converted"
RECORDINGS = sorted(path.name for path in DATA.glob("test_Conv2d*"))


def shapes(layer: Layer, batch: int | None = None) -> list[tuple[int, ...]]:
    head = () if batch is None else (batch,)
    weights = (layer.kernels, layer.input[0] // layer.group, *layer.kernel_shape)
    return [(*head, *layer.input), weights, (layer.kernels,)]


def draw_tensors(
    layer: Layer, dtype: str, seed: int, batch: int | None = None
) -> tuple[Array, Array, Array | None]:
    """Tensors of a type: normal numbers, or all values of 8-bit integers."""
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        x, w, bias = (generator.normal(size=s).astype(dtype) for s in shapes(layer, batch))
    else:
        x, w, bias = (generator.integers(-128, 128, s).astype(dtype) for s in shapes(layer, batch))
    return x, w, bias if layer.bias else None


def scipy_convolution(layer: Layer, x: Array, w: Array, bias: Array | None) -> Array:
    """One `scipy.signal.correlate` a pair of kernel and channel; holes for dilation; crop."""
    top, left, bottom, right = layer.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    kernels, channels = layer.kernels // layer.group, layer.input[0] // layer.group
    (kh, kw), (dh, dw) = layer.kernel_shape, layer.dilations
    holed = np.zeros((*w.shape[:2], dh * (kh - 1) + 1, dw * (kw - 1) + 1), w.dtype)
    holed[:, :, ::dh, ::dw] = w
    planes = []
    for m in range(layer.kernels):
        first = m // kernels * channels
        plane = sum(
            correlate(padded[first + c], holed[m, c], mode="valid", method="direct")
            for c in range(channels)
        )
        planes.append(plane if bias is None else plane + bias[m])
    return np.stack(planes)[:, :: layer.strides[0], :: layer.strides[1]]


def onnx_convolution(layer: Layer, x: Array, w: Array, bias: Array | None, op: str) -> Array:
    """ONNX's ``Conv`` or ``ConvInteger`` by its reference evaluator; x has a batch axis."""
    inputs = {"x": x, "w": w} | ({} if bias is None else {"b": bias})
    node = helper.make_node(
        op,
        list(inputs),
        ["y"],
        kernel_shape=layer.kernel_shape,
        strides=layer.strides,
        pads=layer.pads,
        dilations=layer.dilations,
        group=layer.group,
    )
    types = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in inputs.items()}
    out = TensorProto.INT32 if op == "ConvInteger" else types["x"]
    graph = helper.make_graph(
        [node],
        "convolution",
        [helper.make_tensor_value_info(name, types[name], v.shape) for name, v in inputs.items()],
        [helper.make_tensor_value_info("y", out, None)],
    )
    (result,) = ReferenceEvaluator(helper.make_model(graph)).run(None, inputs)
    return np.asarray(result)


def recording(name: str) -> tuple[Layer, Array, Array, Array | None, Array]:
    """One of ONNX's conformance cases that were recorded from PyTorch, all float32."""
    model = onnx.load(DATA / name / "model.onnx")
    node = model.graph.node[-1]
    at = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    known = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors = []
    for kind in ("input", "output"):
        proto = TensorProto()
        proto.ParseFromString((DATA / name / "test_data_set_0" / f"{kind}_0.pb").read_bytes())
        tensors.append(numpy_helper.to_array(proto))
    x, y = tensors
    w = known[node.input[1]]
    bias = known[node.input[2]] if len(node.input) > 2 else None
    layer = Layer(
        input=x.shape[1:],
        kernels=len(w),
        kernel_shape=at["kernel_shape"],
        strides=at["strides"],
        pads=at["pads"],
        dilations=at["dilations"],
        group=at["group"],
        bias=bias is not None,
    )
    return layer, x, w, bias, y
