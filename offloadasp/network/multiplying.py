"""Nodes that multiply with weights and are no layers: an open rule says which, and why not.

A node counts unless its operator is known to be harmless: at any depth, of any domain, whatever its
name. It needs a constant of two or more axes, or one whose rank nobody knows, to multiply with.
"""

from collections.abc import Collection, Mapping

from onnx import GraphProto, NodeProto, TensorProto

from offloadasp.network.attributes import attributes, tensors
from offloadasp.network.fit import times
from offloadasp.network.graphs import STANDARD, Shape, operator, subgraphs
from offloadasp.network.model import Model, constants_of
from offloadasp.network.nodes import READERS

# Sums of products even of tensors that are computed at run time.
_SUMS = {
    "Attention": "attention multiplies tensors that are computed at run time",
    "CausalConvWithState": "convolutions with a state are not supported",
    "ConvTranspose": "transposed convolutions are not supported",
    "DeformConv": "where its patches are is known at run time only",
    "Einsum": "general sums of products are not supported",
    "GRU": "recurrent layers are not supported",
    "LSTM": "recurrent layers are not supported",
    "LinearAttention": "attention multiplies tensors that are computed at run time",
    "MatMulInteger": "products of quantised matrices are not supported",
    "QLinearMatMul": "products of quantised matrices are not supported",
    "RNN": "recurrent layers are not supported",
}
# Of the domain com.microsoft, ONNX Runtime's: products of tensors, whether constant or not.
_SUMS_FUSED = frozenset((
    "DecoderMaskedMultiHeadAttention", "FusedMatMul", "FusedMatMulActivation",
    "GroupQueryAttention", "LinearAttention", "MultiHeadAttention", "PackedMultiHeadAttention",
    "PagedAttention", "SparseAttention", "TransposeMatMul",
))  # fmt: skip
# Of the domain ai.onnx.ml; their weights are lists in attributes.
_LEARNED = ("LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor")

# Compute element by element, move, select, count, compare, pool, normalise or draw: no sums of
# products with a constant. Of what control flow holds, each node is judged for itself.
_HARMLESS = frozenset((
    "Abs", "Acos", "Acosh", "Add", "AffineGrid", "And", "ArgMax", "ArgMin", "Asin", "Asinh",
    "Atan", "Atanh", "AveragePool", "BatchNormalization", "Bernoulli", "BitCast", "BitShift",
    "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BlackmanWindow", "Cast", "CastLike",
    "Ceil", "Celu", "CenterCropPad", "Clip", "Col2Im", "Compress", "Concat",
    "ConcatFromSequence", "Constant", "ConstantOfShape", "Cos", "Cosh", "CumProd", "CumSum",
    "DepthToSpace", "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear", "Elu",
    "Equal", "Erf", "Exp", "Expand", "EyeLike", "Flatten", "Floor", "Gather", "GatherElements",
    "GatherND", "Gelu", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "Greater",
    "GreaterOrEqual", "GridSample", "GroupNormalization", "HammingWindow", "HannWindow",
    "HardSigmoid", "HardSwish", "Hardmax", "Identity", "If", "ImageDecoder",
    "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LayerNormalization", "LeakyRelu", "Less",
    "LessOrEqual", "Log", "LogSoftmax", "Loop", "LpNormalization", "LpPool", "Max", "MaxPool",
    "MaxRoiPool", "MaxUnpool", "Mean", "MeanVarianceNormalization", "MelWeightMatrix", "Min",
    "Mish", "Mod", "Mul", "Multinomial", "Neg", "NegativeLogLikelihoodLoss",
    "NonMaxSuppression", "NonZero", "Not", "OneHot", "Optional", "OptionalGetElement",
    "OptionalHasElement", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear", "RMSNormalization",
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range",
    "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "RegexFullMatch",
    "Relu", "Reshape", "Resize", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "Round",
    "Scan", "Scatter", "ScatterElements", "ScatterND", "Selu", "SequenceAt",
    "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
    "SequenceMap", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Slice",
    "Softmax", "SoftmaxCrossEntropyLoss", "Softplus", "Softsign", "SpaceToDepth", "Split",
    "SplitToSequence", "Sqrt", "Squeeze", "StringConcat", "StringNormalizer", "StringSplit",
    "Sub", "Sum", "SwiGLU", "Swish", "Tan", "Tanh", "TensorScatter", "TfIdfVectorizer",
    "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Upsample",
    "Where", "Xor",
))  # fmt: skip
# The same of ONNX Runtime's operators, of the domain com.microsoft.
_HARMLESS_FUSED = frozenset((
    "BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "DequantizeLinear",
    "EmbedLayerNormalization", "FastGelu", "Gelu", "GemmaRotaryEmbedding",
    "GatherBlockQuantized", "GroupNorm", "GridSample", "NhwcMaxPool", "Pad",
    "QEmbedLayerNormalization", "QLinearAdd", "QLinearAveragePool", "QLinearConcat",
    "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean",
    "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere", "QOrderedGelu",
    "QOrderedLayerNormalization", "QuantizeLinear", "QuickGelu", "RotaryEmbedding",
    "SkipGroupNorm", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    "SimplifiedLayerNormalization", "Trilu", "Unique",
))  # fmt: skip


def reason(model: Model, node: NodeProto) -> str | None:
    """Say why a node of the main graph that no reader takes cannot be offloaded.

    None if it multiplies with no weights.
    """
    inner = _nested(node, model.constants, model.shapes)
    if inner is not None:
        return f"holds {inner} in a subgraph, which runs at times unknown before"
    return _own(node, model.constants, model.shapes)


def _own(node: NodeProto, constants: Collection[str], shapes: Mapping[str, Shape]) -> str | None:
    """Judge a node by its operator and inputs, its subgraphs left out."""
    known = READERS.keys() | _SUMS.keys()
    if node.domain in STANDARD:
        if node.op_type in _SUMS:
            return _SUMS[node.op_type]
        if node.op_type in READERS:
            return "runs at times unknown before"
        if node.op_type in _HARMLESS:
            return None
    elif node.domain == "ai.onnx.ml" and node.op_type in _LEARNED:
        return "its weights are lists in attributes, and nothing here makes layers of them"
    elif node.domain == "com.microsoft" and node.op_type in _HARMLESS_FUSED:
        return None
    factor = _factor(node, constants, shapes)
    if node.domain in STANDARD:
        return None if factor is None else f"nothing here makes layers of it; its {factor}"
    if factor is None and node.domain == "com.microsoft" and node.op_type in _SUMS_FUSED:
        return "multiplies tensors that are computed at run time"
    if factor is None and node.op_type not in known:
        return None
    words = f"an operator of the domain {node.domain}, whose meaning is not known"
    return words if factor is None else f"{words}; its {factor}"


def _factor(node: NodeProto, constants: Collection[str], shapes: Mapping[str, Shape]) -> str | None:
    """Describe the first constant that a node may multiply with; None if it has none."""
    for name in node.input:
        if name not in constants:
            continue
        shape = shapes.get(name)
        if shape is None:
            return f"input {name} is constant, of a shape that is not known"
        if len(shape) > 1:
            return f"input {name} is constant, {times(shape)}"
    for tensor in tensors(node):
        if len(tensor.dims) > 1:
            return f"attributes hold a constant, {times(tensor.dims)}"
    return None


def _nested(node: NodeProto, constants: Collection[str], shapes: Mapping[str, Shape]) -> str | None:
    """Return the first operator in subgraphs, at any depth, that multiplies with weights."""
    for graph in subgraphs(node):
        own = constants_of(graph, constants)
        seen = {**shapes, **_stated(graph)}
        for inner in graph.node:
            found = _nested(inner, own, seen)
            if found is None and _own(inner, own, seen) is not None:
                found = operator(inner)
            if found is not None:
                return found
    return None


def _stated(graph: GraphProto) -> dict[str, Shape]:
    """Return the shapes of the constants that a subgraph states itself."""
    found: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            value = attributes(node).get("value")
            # Numbers and lists of them have less than two axes.
            found[node.output[0]] = tuple(value.dims) if isinstance(value, TensorProto) else ()
    return found
