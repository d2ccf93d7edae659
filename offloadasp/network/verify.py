"""Runs a whole network with every convolution executed by the simulator under its plan.

Twice: each node by itself on what ONNX's evaluator gives it, which says whether the node is right;
and all of them in one run, which says how far rounding carries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, helper

from offloadasp.base.errors import InputError, OffloadError, VerificationError
from offloadasp.judge.simulator.tensors import Array
from offloadasp.model.strategy import Strategy, load
from offloadasp.network.compare import Compared, compare, unjudged
from offloadasp.network.convolutions import Convolution, Imported
from offloadasp.network.dataset import DataSet
from offloadasp.network.draw_weights import draw_weights
from offloadasp.network.evaluator import OWN_DOMAIN, OWN_OPERATOR, evaluate, make_dense
from offloadasp.network.execute import Executed, execute
from offloadasp.network.fit import times
from offloadasp.network.graphs import first_line
from offloadasp.network.margins import element_type, largest, output_margins
from offloadasp.network.model import Model
from offloadasp.network.tensor_data import load_external


@dataclass(frozen=True)
class Verification:
    """What the run of a network showed.

    Attributes
    ----------
    against
        ``recorded`` outputs, or the ``evaluator``: ONNX's, which runs the model as it is.
    outputs
        Those of the network with every offloaded node executed by the simulator.
    inner
        What each of these nodes made of the evaluator's own inputs to it, against what the
        evaluator made of them.
    executed
        Names of the nodes that the simulator executed, in their order.
    drawn
        Names of those of them whose weights the model fills with one value. For the evaluator
        and the simulator alike they were drawn at random.
    notes
        Sentences on what could not be judged or run.
    """

    against: str
    outputs: tuple[Compared, ...]
    inner: tuple[Compared, ...]
    executed: tuple[str, ...]
    drawn: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def verified(self) -> bool | None:
        """Whether every node is right, and every recorded output; None if that is not known.

        How far the outputs are from the evaluator's is no verdict: rounding differs, and what
        follows may magnify it.
        """
        judged = [*self.inner, *(self.outputs if self.against == "recorded" else ())]
        if any(entry.equal is False for entry in judged):
            return False
        known = bool(self.executed) and all(entry.equal for entry in judged)
        return True if known else None


@dataclass(frozen=True, eq=False)
class Expected:
    """What the evaluator makes of a network: all that is needed to judge plans of its nodes.

    Attributes
    ----------
    proto
        The model with all its data, some weights drawn perhaps.
    data
        The inputs, and the recorded outputs if there are any.
    tensors
        By name: outputs of the network, and inputs and outputs of the nodes to be offloaded.
    drawn
        Names of the nodes whose weights were drawn.
    """

    model: Model
    imported: Imported
    proto: ModelProto
    data: DataSet
    tensors: Mapping[str, Any]
    drawn: tuple[str, ...] = ()


def expect(model: Model, imported: Imported, data: DataSet, seed: int) -> Expected:
    """Have ONNX's evaluator run a network.

    Parameters
    ----------
    data
        With recorded outputs, or without: then weights of one repeated value are drawn at random.
    seed
        Of these.

    Raises
    ------
    InputError
        The evaluator cannot run the model, or its weights cannot be loaded.
    """
    proto = ModelProto()
    proto.CopyFrom(model.proto)
    load_external(model.path, proto)
    try:
        make_dense(proto)
    except (ValueError, IndexError, MemoryError) as error:
        reason = first_line(error)
        raise InputError(f"{model.path}: its sparse weights cannot be read: {reason}") from None
    offloaded = {c.output: c for c in imported.convolutions}
    drawn = [] if data.outputs is not None else draw_weights(model, proto, offloaded, seed)
    names = dict.fromkeys(value.name for value in proto.graph.output)
    for node in _nodes(proto, offloaded):
        names |= dict.fromkeys([*filter(None, node.input), node.output[0]])
    found = evaluate(model.path, proto, data.inputs, list(names), clashes=model.clashes)
    tensors = dict(zip(names, found, strict=True))
    return Expected(model, imported, proto, data, tensors, tuple(drawn))


def verify(expected: Expected, strategies: Mapping[str, Path]) -> Verification:
    """Run a network under its plans, and judge its nodes and outputs.

    Parameters
    ----------
    strategies
        The strategy file of every distinct convolution, by its name. Convolutions without one
        are left to the evaluator.

    """
    model = expected.model
    offloaded = {c.output: c for c in expected.imported.convolutions if c.name in strategies}
    loaded = {name: load(path) for name, path in strategies.items()}
    nodes = _nodes(expected.proto, offloaded)
    runs = {
        node.output[0]: _judge(expected, node, offloaded[node.output[0]], loaded) for node in nodes
    }
    inner = tuple(run.compared for run in runs.values())
    ready = {name: offloaded[name] for name, run in runs.items() if run.executed is not None}
    outputs, notes = _whole(expected, ready, loaded, runs)
    recorded = expected.data.outputs
    names = [value.name for value in model.graph.output]
    wanted = [expected.tensors[name] for name in names] if recorded is None else recorded
    margins = output_margins(model, offloaded)
    right = all(entry.equal for entry in inner)
    compared = []
    for name, found, value in zip(names, outputs, wanted, strict=True):
        if found is None:
            compared.append(unjudged(name, "could not be computed under the plans"))
            continue
        allowed = margins[name].of(np.asarray(value))
        entry = compare(name, found, value, allowed)
        if right and recorded is not None:
            entry = _against_record(entry, found, value, expected.tensors[name], allowed)
        compared.append(entry)
    executed = [offloaded[name].node for name in ready]
    return Verification(
        against="evaluator" if recorded is None else "recorded",
        outputs=tuple(compared),
        inner=inner,
        executed=tuple(executed),
        drawn=tuple(name for name in expected.drawn if name in executed),
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """A node on the evaluator's inputs; ``executed`` is None where it could not be executed."""

    compared: Compared
    inputs: Sequence[Any] = field(default=())
    executed: Executed | None = None


def _judge(
    expected: Expected,
    node: NodeProto,
    convolution: Convolution,
    loaded: Mapping[str, Strategy],
) -> _Judged:
    name = node.output[0]
    inputs = [expected.tensors[entry] if entry else None for entry in node.input]
    value = expected.tensors[name]
    fault = _fault(expected.model, node, expected.tensors)
    if fault is not None:
        return _Judged(unjudged(name, fault))
    left = node.input[0] in expected.model.constants
    try:
        ran = execute(convolution, loaded[convolution.name], inputs, node, weights_left=left)
    except VerificationError as error:
        return _Judged(Compared(name, False, float("inf"), 0.0, 0.0, note=str(error)))
    except InputError as error:
        return _Judged(unjudged(name, f"{convolution.node} cannot be simulated: {error}"))
    compared = compare(name, ran.output, value, ran.margin, ran.unsure)
    note = "; ".join(filter(None, (compared.note, ran.note)))
    if compared.equal and ran.beside:
        compared = unjudged(name, note)
    noted = Compared(**{**vars(compared), "note": note})
    return _Judged(noted, inputs, ran)


def _fault(model: Model, node: NodeProto, tensors: Mapping[str, Any]) -> str | None:
    """Say where the evaluator's tensors are not what the model's inputs and weights demand."""
    for name in (*filter(None, node.input), node.output[0]):
        shape, value = model.shapes.get(name), tensors[name]
        if not isinstance(value, np.ndarray | np.generic):
            return f"ONNX's evaluator makes no tensor of {name}"
        if shape is not None and None not in shape and shape != value.shape:
            return (
                f"ONNX's evaluator makes {name} {times(value.shape)}; the model's inputs and "
                f"weights demand {times(shape)}"
            )
        demanded = element_type(model, name)
        if demanded is not None and demanded != value.dtype:
            return f"ONNX's evaluator makes {name} {value.dtype}; the model demands {demanded}"
    return None


def _whole(
    expected: Expected,
    offloaded: Mapping[str, Convolution],
    loaded: Mapping[str, Strategy],
    runs: Mapping[str, _Judged],
) -> tuple[list[Any], list[str]]:
    """Run the network under its plans; return its outputs, None where it cannot, and why."""
    nodes = {node.output[0]: node for node in _nodes(expected.proto, offloaded)}

    def run(output: str, inputs: Sequence[Any], _: Mapping[str, Any]) -> Array:
        before = runs[output]
        assert before.executed is not None
        if len(inputs) == len(before.inputs) and all(map(_same, inputs, before.inputs)):
            return before.executed.output
        convolution, node = offloaded[output], nodes[output]
        left = node.input[0] in expected.model.constants
        strategy = loaded[convolution.name]
        return execute(convolution, strategy, inputs, node, weights_left=left).output

    names = [value.name for value in expected.model.graph.output]
    changed = _offload(expected.proto, offloaded)
    try:
        return evaluate(expected.model.path, changed, expected.data.inputs, names, run), []
    except OffloadError as error:
        reason = str(error).removeprefix(f"{expected.model.path}: ")
        return [None] * len(names), [f"the network could not be run under the plans: {reason}"]


def _offload(proto: ModelProto, offloaded: Mapping[str, Convolution]) -> ModelProto:
    """Return the model with an operator of our own in place of every offloaded node."""
    changed = ModelProto()
    changed.CopyFrom(proto)
    for node in _nodes(changed, offloaded):
        node.domain, node.op_type = OWN_DOMAIN, OWN_OPERATOR
    changed.opset_import.append(helper.make_opsetid(OWN_DOMAIN, 1))
    return changed


def _nodes(proto: ModelProto, offloaded: Mapping[str, Convolution]) -> list[NodeProto]:
    return [node for node in proto.graph.node if node.output and node.output[0] in offloaded]


def _same(one: Any, other: Any) -> bool:
    """Whether two inputs of a node are the same, bit for bit but for the sign of zero."""
    if one is None or other is None:
        return one is other
    if one is other:
        return True
    return compare("", one, other).equal is True


def _against_record(
    entry: Compared, found: Any, recorded: Any, expected: Any, allowed: Array
) -> Compared:
    """Judge a recorded output again, where every node under the plans is right.

    Then what is between our run and the evaluator's is rounding, as this network magnifies it, and
    may be between others as well. If the evaluator's own run is no nearer to the record, that is
    said: then the plans are not the cause.
    """
    name = entry.name
    if entry.equal is not False:
        return entry
    magnified = 8 * _distances(found, expected, allowed) if _alike(found, recorded) else 0.0
    again = compare(name, found, recorded, allowed + magnified)
    if again.equal is False and compare(name, expected, recorded, allowed).equal is False:
        cause = "ONNX's evaluator, without any plan, differs from the record as well"
        return replace(again, note="; ".join(filter(None, (again.note, cause))))
    return again


def _distances(found: Any, expected: Any, like: Array) -> Array:
    """Return the largest difference of finite numbers of two tensors, over the parts of a margin.

    0 where they cannot be compared number by number, and where values must be the same exactly.
    """
    if not _alike(found, expected) or found.dtype.kind in "OSUTc" or not like.any():
        return np.zeros_like(like)
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    return largest(np.where(np.isfinite(apart), apart, 0.0), like)


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are tensors of one shape."""
    tensors = all(isinstance(value, np.ndarray | np.generic) for value in (one, other))
    return tensors and np.shape(one) == np.shape(other)
