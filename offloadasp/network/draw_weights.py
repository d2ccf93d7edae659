"""Draws weights where a model has constant ones, as light models do: zeros would show nothing."""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from offloadasp.network.convolutions import Convolution
from offloadasp.network.model import Model
from offloadasp.network.nodes import FLOATS
from offloadasp.network.shapes import STANDARD


def draw_weights(
    model: Model, proto: ModelProto, offloaded: Mapping[str, Convolution], seed: int
) -> list[str]:
    """Replace weights and biases of one repeated value by random ones; return their nodes.

    Normal numbers, scaled so that outputs stay about as large as inputs (He et al.,
    arXiv:1502.01852, equation 10).
    """
    filled = _filled(proto)
    generator = np.random.default_rng(seed)
    drawn: dict[str, str] = {}
    changed: list[str] = []
    for node in proto.graph.node:
        convolution = offloaded.get(node.output[0])
        if convolution is None:
            continue
        layer = convolution.layer
        terms = layer.input[0] // layer.group * layer.kernel_shape[0] * layer.kernel_shape[1]
        for number, name in enumerate(node.input):
            if name not in filled or model.types[name] not in FLOATS:
                continue
            if name not in drawn:
                drawn[name] = f"{name}::drawn"
                sizes = [size or 0 for size in model.shapes[name]]
                values = generator.normal(size=sizes) * np.sqrt(2 / terms)
                kind = helper.tensor_dtype_to_np_dtype(model.types[name])
                tensor = numpy_helper.from_array(values.astype(kind), drawn[name])
                proto.graph.initializer.append(tensor)
            node.input[number] = drawn[name]
            changed.append(convolution.node)
    return list(dict.fromkeys(changed))


def _filled(proto: ModelProto) -> set[str]:
    """Return the names of constants of several elements that are all the same."""
    graph = proto.graph
    found = {
        node.output[0]
        for node in graph.node
        if node.op_type == "ConstantOfShape" and node.domain in STANDARD
    }
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size > 1 and (values == values.flat[0]).all():
            found.add(tensor.name)
    return found
