"""What to call things of a graph: operators, shapes, subgraphs, errors."""

import re

from onnx import AttributeProto, GraphProto, NodeProto, TypeProto

# None for a dimension that is only known when the model runs.
Shape = tuple[int | None, ...]

STANDARD = ("", "ai.onnx")
"""The domain of the standard operators, by both of its names."""

# Their outputs differ from run to run, so they are no constants though they have no inputs.
RANDOM = frozenset(
    {
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)

_MESSAGE_LIMIT = 240


def shape_of(kind: TypeProto) -> Shape | None:
    """Return the shape of a type; None if it is no tensor's or has none."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    # A size below 0 comes from arithmetic that nobody checked, and is none.
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None
        for d in kind.tensor_type.shape.dim
    )


def operator(node: NodeProto) -> str:
    """Return a node's operator, with its domain if that is not the standard one."""
    return node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """Return the graphs that a node holds."""
    found = []
    for entry in node.attribute:
        if entry.type == AttributeProto.GRAPH:
            found.append(entry.g)
        found.extend(entry.graphs)
    return found


def first_line(error: BaseException) -> str:
    """Return the beginning of an error's message, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = re.sub(r"\s+", " ", lines[0])
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[:_MESSAGE_LIMIT]}..."
