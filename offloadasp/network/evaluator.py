"""ONNX's reference evaluator: it says what a model computes."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from offloadasp.base.errors import InputError, OffloadError
from offloadasp.network.attributes import attributes
from offloadasp.network.graphs import STANDARD, first_line, operator

OWN_DOMAIN = "offload-asp"
OWN_OPERATOR = "OffloadedConvolution"

# From this opset on the evaluator has the operators that quantise, which it lacks before.
_QUANTISING = 19

Execute = Callable[[str, Sequence[Any], Mapping[str, Any]], Any]


def evaluate(
    path: Path,
    proto: ModelProto,
    inputs: Mapping[str, Any],
    names: Sequence[str],
    execute: Execute | None = None,
    clashes: Mapping[str, str] | None = None,
) -> list[Any]:
    """Run a model; return the tensors of these names.

    Parameters
    ----------
    proto
        With all its data.
    execute
        Runs the nodes whose operator is `OWN_OPERATOR`: it gets the name of the node's first
        output, its inputs and its attributes, and returns that output.
    clashes
        By the first output of a node that is known to contradict itself: the reason.

    Raises
    ------
    InputError
        The evaluator cannot run a node; the message names it.
    """
    with _quiet():
        try:
            made = ReferenceEvaluator(proto, new_ops=_operators(proto, execute))
        except Exception as error:  # whatever a constructor raises
            node = _unknown(proto)
            words = "it" if node is None else f"{node.name or node.output[0]} ({operator(node)})"
            reason = first_line(error) if node is None else "it has no such operator"
            raise InputError(f"{path}: ONNX's evaluator cannot run {words}: {reason}") from None
        try:
            return list(made.run(list(names), dict(inputs)))
        except OffloadError:
            raise
        except Exception as error:  # whatever an operator raises
            failed, words, reason = _failed(error), "it", first_line(error)
            if failed is not None:
                words = f"{failed.name or failed.output[0]} ({operator(failed)})"
                reason = (clashes or {}).get(failed.output[0], reason)
            raise InputError(f"{path}: ONNX's evaluator cannot run {words}: {reason}") from None


def make_dense(proto: ModelProto) -> None:
    """Store sparse initializers as others, which is all that the evaluator takes.

    Raises
    ------
    ValueError, IndexError
        Their places are none of the tensor.
    """
    for sparse in proto.graph.sparse_initializer:
        values = numpy_helper.to_array(sparse.values)
        places = np.asarray(numpy_helper.to_array(sparse.indices))
        dense = np.zeros(tuple(sparse.dims), values.dtype)
        # Places count the elements, or give an index for every axis.
        at = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), dense.shape)
        dense.flat[at] = values
        proto.graph.initializer.append(numpy_helper.from_array(dense, sparse.values.name))
    del proto.graph.sparse_initializer[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Pass over warnings of NumPy: what is no number is compared as such."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _operators(proto: ModelProto, execute: Execute | None) -> list[type]:
    versions = [entry.version for entry in proto.opset_import if entry.domain in STANDARD]
    found = []
    if versions and max(versions) < _QUANTISING:
        found = [
            _operator("DequantizeLinear", "", _dequantize),
            _operator("QuantizeLinear", "", _quantize),
        ]
    if execute is not None:

        def run(self: Any, *inputs: Any, **_: Any) -> tuple[Any]:
            node = self.onnx_node
            return (execute(node.output[0], inputs, attributes(node)),)

        found.append(_operator(OWN_OPERATOR, OWN_DOMAIN, run))
    return found


def _operator(name: str, domain: str, run: Callable[..., tuple[Any]]) -> type:
    """Return the evaluator's implementation of an operator."""
    return type(name, (OpRun,), {"op_domain": domain, "_run": run})


def _dequantize(self: Any, x: Any, scale: Any, zero: Any = None, **_: Any) -> tuple[Any]:
    """Compute ``(x - zero) * scale``, as opset 10 and 13 define it."""
    axis = attributes(self.onnx_node).get("axis", 1)
    wide = x.astype(np.int64)
    if zero is not None:
        wide = wide - _along(zero.astype(np.int64), x.ndim, axis)
    return ((wide.astype(np.float32) * _along(scale, x.ndim, axis)).astype(scale.dtype),)


def _quantize(self: Any, x: Any, scale: Any, zero: Any = None, **_: Any) -> tuple[Any]:
    """Compute ``saturate(round(x / scale) + zero)``, ties to even, as opset 10 and 13 define it."""
    axis = attributes(self.onnx_node).get("axis", 1)
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    steps = np.rint(x / _along(scale, x.ndim, axis))
    if zero is not None:
        steps = steps + _along(zero.astype(np.float32), x.ndim, axis)
    limits = np.iinfo(kind)
    # NaN has no integer; 0 as everywhere else in NumPy.
    return (np.nan_to_num(np.clip(steps, limits.min, limits.max)).astype(kind),)


def _along(values: Any, rank: int, axis: int) -> Any:
    """Shape one value for all, or one for each along an axis, so that it broadcasts."""
    if values.size == 1 or values.ndim != 1:
        return values.reshape(()) if values.size == 1 else values
    shape = [1] * rank
    shape[axis] = -1
    return values.reshape(shape)


def _unknown(proto: ModelProto) -> NodeProto | None:
    """Return the first node that the evaluator has no implementation for."""
    nodes: Sequence[NodeProto] = proto.graph.node
    for node in nodes:
        if node.domain == OWN_DOMAIN:
            continue
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                  for name in dict.fromkeys(filter(None, node.input))]  # fmt: skip
        results = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "alone", values, results)
        alone = helper.make_model(graph, opset_imports=proto.opset_import, ir_version=8)
        try:
            ReferenceEvaluator(alone, new_ops=_operators(proto, None))
        except Exception:  # whatever a constructor raises
            return node
    return None


def _failed(error: BaseException) -> NodeProto | None:
    """Return the node of the main graph in which the evaluator failed."""
    trace = error.__traceback__
    while trace is not None:
        running = trace.tb_frame.f_locals.get("self")
        if isinstance(running, OpRun):
            node: NodeProto = running.onnx_node
            return node
        trace = trace.tb_next
    return None
