"""Runs a whole network with every convolution executed by the simulator under its plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from offloadasp.base.errors import InputError, OffloadError, VerificationError
from offloadasp.judge.simulator import simulate
from offloadasp.judge.simulator.tensors import Array
from offloadasp.model.strategy import Strategy, load
from offloadasp.network.convolutions import Convolution, Imported
from offloadasp.network.dataset import DataSet
from offloadasp.network.model import STANDARD, Model, attributes, first_line
from offloadasp.network.nodes import FLOATS
from offloadasp.network.operands import Operands, operands

_DOMAIN = "offload-asp"
_OPERATOR = "OffloadedConvolution"

# ONNX's own tests compare with a relative 1e-3. What a rounding error is relative to is the
# largest value of the tensor, since sums cancel.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Compared:
    """One tensor: an output of the network, or of a convolution in it.

    Attributes
    ----------
    max_abs_error
        Largest absolute difference; infinite if shapes differ, or a number is missing.
    tolerance
        The largest that counts as equal. For floats, which a single-precision network sums in any
        order, 1e-3 of the largest magnitude expected. For integers and truth values 0 if the
        network's offloaded layers are of integers; else the same as for floats and at least 1,
        since a quantised sum of floats may be rounded up or down.
    spread
        Difference of the largest and the smallest expected value: an output that is constant
        shows little.
    """

    name: str
    max_abs_error: float
    tolerance: float
    spread: float

    @property
    def equal(self) -> bool:
        """Whether the tensor is the expected one."""
        return self.max_abs_error <= self.tolerance

    @property
    def excess(self) -> float:
        """The error as a multiple of what is allowed; infinite where nothing is."""
        if self.max_abs_error == 0:
            return 0.0
        return self.max_abs_error / self.tolerance if self.tolerance else float("inf")


@dataclass(frozen=True)
class Verification:
    """What the run of a network showed.

    Attributes
    ----------
    against
        ``recorded`` outputs, or the ``evaluator``: ONNX's, which runs the model as it is.
    executed
        Names of the nodes that the simulator executed, in their order.
    drawn
        Names of those of them whose weights the model fills with one value. For the evaluator
        and the simulator alike they were drawn at random.
    inner
        What each of them made of what the nodes before it had made, against the same tensor of
        the evaluator's run; empty against recorded outputs, which have no such tensors. An
        output of the network can hide an error: a maximum does, and so does a saturated softmax.
    """

    against: str
    outputs: tuple[Compared, ...]
    inner: tuple[Compared, ...]
    executed: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether every tensor is the expected one."""
        return all(entry.equal for entry in (*self.outputs, *self.inner))


def verify(
    model: Model,
    imported: Imported,
    strategies: Mapping[str, Path],
    data: DataSet,
    seed: int,
) -> Verification:
    """Run a network under its plans, and compare its outputs.

    Parameters
    ----------
    strategies
        The strategy file of every distinct convolution, by its name. Convolutions without one
        are left to the evaluator.
    data
        With recorded outputs, or without: then the plain evaluator says what they should be.
    seed
        Of the weights drawn where a model without recorded outputs has only constant ones.

    Raises
    ------
    InputError
        The evaluator cannot run the model, or its weights cannot be loaded.
    VerificationError
        A strategy is refused while it is executed.
    """
    proto = ModelProto()
    proto.CopyFrom(model.proto)
    offloaded = {c.output: c for c in imported.convolutions if c.name in strategies}
    try:
        load_external_data_for_model(proto, str(model.path.parent))
    except Exception as error:  # onnx documents no full list
        reason = first_line(error)
        raise InputError(f"{model.path}: its weights cannot be loaded: {reason}") from None
    drawn: list[str] = []
    names = [value.name for value in model.graph.output]
    expected = data.outputs
    if expected is None:
        drawn = _draw_weights(model, proto, offloaded, seed)
        names += [name for name in offloaded if name not in names]
        expected = _evaluate(model, ReferenceEvaluator, proto, data, names)
    executed: list[str] = []
    loaded = {name: load(path) for name, path in strategies.items()}
    left = {
        node.output[0]: node.input[0] in model.constants
        for node in model.graph.node
        if node.output[0] in offloaded
    }

    def execute(output: str, inputs: Sequence[Array | None], given: Mapping[str, Any]) -> Array:
        convolution = offloaded[output]
        ready = operands(convolution.op, inputs, given, weights_left=left[output])
        found = _execute(convolution, loaded[convolution.name], ready)
        executed.append(convolution.node)
        return found

    found = _evaluate(
        model,
        lambda changed: ReferenceEvaluator(changed, new_ops=[_operator(execute)]),
        _offload(proto, offloaded),
        data,
        names,
    )
    rounded = any(
        model.types[node.input[0]] in FLOATS
        for node in model.graph.node
        if node.output[0] in offloaded
    )
    compared = [
        _compare(*entry, rounded=rounded) for entry in zip(names, found, expected, strict=True)
    ]
    outputs = len(model.graph.output)
    return Verification(
        against="evaluator" if data.outputs is None else "recorded",
        outputs=tuple(compared[:outputs]),
        inner=tuple(compared[outputs:]),
        executed=tuple(executed),
        drawn=tuple(drawn),
    )


def _offload(proto: ModelProto, offloaded: Mapping[str, Convolution]) -> ModelProto:
    """Return the model with an operator of our own in place of every offloaded node."""
    changed = ModelProto()
    changed.CopyFrom(proto)
    for node in changed.graph.node:
        if node.output[0] in offloaded:
            node.domain, node.op_type = _DOMAIN, _OPERATOR
    changed.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return changed


def _operator(execute: Callable[[str, Sequence[Array | None], Mapping[str, Any]], Array]) -> type:
    """Return the evaluator's implementation of that operator."""

    def run(self: Any, *inputs: Array | None, **_: Any) -> tuple[Array]:
        node = self.onnx_node
        return (execute(node.output[0], inputs, attributes(node)),)

    return type(_OPERATOR, (OpRun,), {"op_domain": _DOMAIN, "_run": run})


def _execute(convolution: Convolution, strategy: Strategy, ready: Operands) -> Array:
    replay = simulate(strategy, ready.x, ready.w, ready.bias)
    if not replay.verified:
        reason = replay.violations[0] if replay.violations else f"error {replay.max_abs_error}"
        raise VerificationError(f"{convolution.node}: VERIFICATION FAILED: {reason}")
    return ready.finish(replay.output)


def _evaluate(
    model: Model,
    make: Callable[[ModelProto], Any],
    proto: ModelProto,
    data: DataSet,
    names: Sequence[str],
) -> list[Array]:
    try:
        return list(make(proto).run(list(names), dict(data.inputs)))
    except OffloadError:
        raise
    except Exception as error:  # whatever an operator raises
        reason = first_line(error)
        raise InputError(f"{model.path}: ONNX's evaluator cannot run it: {reason}") from None


def _compare(name: str, found: Any, expected: Any, *, rounded: bool) -> Compared:
    """Compare a tensor; ``rounded``: whether floats were summed on the way to it."""
    if not all(isinstance(value, np.ndarray) for value in (found, expected)):
        raise InputError(f"the output {name} is no tensor; only tensors can be compared")
    ours, theirs = (np.asarray(value, dtype=np.float64) for value in (found, expected))
    largest = float(np.abs(theirs).max(initial=0.0))
    tolerance = _TOLERANCE * largest
    if expected.dtype.kind in "iub":
        tolerance = max(1.0, tolerance) if rounded else 0.0
    if ours.shape != theirs.shape or not np.isfinite(ours).all():
        return Compared(name, float("inf"), tolerance, 0.0)
    spread = float(np.ptp(theirs)) if theirs.size else 0.0
    return Compared(name, float(np.abs(ours - theirs).max(initial=0.0)), tolerance, spread)


def _draw_weights(
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
