"""Finds the convolutions of a model, and says why other nodes with weights cannot be offloaded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from onnx import NodeProto, helper
from pydantic import ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.messages import explain
from offloadasp.model.instance import Instance, Layer, Precision, SearchOptions
from offloadasp.model.problem import problem_of, undivided
from offloadasp.network.accelerators import Machine
from offloadasp.network.macs import macs
from offloadasp.network.model import Model, node_name
from offloadasp.network.multiplying import reason
from offloadasp.network.nodes import FLOATS, READERS, Node, Unfit
from offloadasp.network.shapes import STANDARD

# Sums of 8-bit products are of 32 bits in ONNX; floats are summed in no less.
_SUM_BYTES = 4


@dataclass(frozen=True)
class Convolution:
    """A node that can be offloaded.

    Attributes
    ----------
    name
        Of its instance: the name of the first node of the same layer and precision, made fit for
        a file.
    node, op
        The node's name and operator.
    output
        Its output tensor, by which the node is known even if it has no name.
    layer
        One image of it. A product of matrices is a convolution of 1 x 1 kernels, the rows of the
        other matrix the positions of an output one row high, so that the weights serve them all.
    images
        How often the layer runs: the batch.
    """

    name: str
    node: str
    op: str
    output: str
    layer: Layer
    precision: Precision
    images: int


@dataclass(frozen=True)
class Skipped:
    """A node that multiplies with weights and cannot be offloaded, and why.

    Attributes
    ----------
    macs
        Its multiply-accumulates in one run of the network; None if they are not known.
    """

    node: str
    op: str
    reason: str
    macs: int | None


@dataclass(frozen=True)
class Imported:
    """The convolutions of a model, in the order of its nodes, and the nodes left to the host."""

    convolutions: tuple[Convolution, ...]
    skipped: tuple[Skipped, ...]

    @property
    def distinct(self) -> dict[str, list[Convolution]]:
        """The convolutions by the name of their instance."""
        found: dict[str, list[Convolution]] = {}
        for entry in self.convolutions:
            found.setdefault(entry.name, []).append(entry)
        return found


def convolutions(model: Model, machine: Machine) -> Imported:
    """Return the convolutions of a model.

    Raises
    ------
    InputError
        There is none, or none that can be offloaded.
    """
    found: list[Convolution] = []
    skipped: list[Skipped] = []
    names: dict[tuple[Layer, Precision], str] = {}
    for node in model.graph.node:
        try:
            read = _read(model, node, machine)
        except Unfit as why:
            known = macs(model, node)
            skipped.append(Skipped(node_name(node), node.op_type, str(why), known))
            continue
        if read is None:
            continue
        layer, precision, images = read
        name = names.get((layer, precision))
        if name is None:
            name = names[layer, precision] = _file_name(node_name(node), set(names.values()))
        found.append(
            Convolution(
                name, node_name(node), node.op_type, node.output[0], layer, precision, images
            )
        )
    if not found:
        raise InputError(f"{model.path}: {_nothing(skipped)}")
    return Imported(tuple(found), tuple(skipped))


def _read(model: Model, node: NodeProto, machine: Machine) -> tuple[Layer, Precision, int] | None:
    """Return a node's layer, precision and images; None if it multiplies with no weights.

    Raises
    ------
    Unfit
        It does, and cannot be offloaded.
    """
    reader = READERS.get(node.op_type) if node.domain in STANDARD else None
    if reader is None:
        why = reason(model, node)
        if why is not None:
            raise Unfit(why)
        return None
    try:
        layer, images = reader(Node(model, node))
    except ValidationError as error:
        raise Unfit(explain(error, Layer)) from None
    precision = _precision(model, node, machine)
    instance = Instance(name="layer", layer=layer, precision=precision, **machine.tables)
    try:
        problem_of(instance, undivided(layer))
    except InputError as error:
        raise Unfit(str(error).removeprefix("layer: layer: ")) from None
    return layer, precision, images


def instances(imported: Imported, machine: Machine, search: SearchOptions) -> list[Instance]:
    """Return one instance for every distinct convolution, its decomposition left open."""
    return [
        Instance(
            name=name,
            layer=alike[0].layer,
            **machine.tables,
            precision=alike[0].precision,
            search=search,
        )
        for name, alike in imported.distinct.items()
    ]


def _precision(model: Model, node: NodeProto, machine: Machine) -> Precision:
    """Return the bytes per element: the machine's for floats if stated, else the tensors'."""
    weight = 3 if node.op_type == "QLinearConv" else 1
    kinds = [model.types[node.input[number]] for number in (0, weight)]
    if machine.precision is not None and all(kind in FLOATS for kind in kinds):
        return machine.precision
    x, w = (helper.tensor_dtype_to_np_dtype(kind).itemsize for kind in kinds)
    # QLinearConv's output is of its input's size; ConvInteger's is of 32 bits.
    y = _SUM_BYTES if node.op_type == "ConvInteger" else x
    return Precision(input=x, weight=w, output=y, partial_sum=max(_SUM_BYTES, y))


def _nothing(skipped: Sequence[Skipped]) -> str:
    names = ", ".join(READERS)
    if not skipped:
        return f"holds no convolution ({names})"
    first = f"{skipped[0].node} ({skipped[0].op}): {skipped[0].reason}"
    return f"holds no convolution that can be offloaded ({names}); the first of others: {first}"


def _file_name(name: str, taken: set[str]) -> str:
    """Return a name that instances may have, and that no other one has."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "convolution"
    found, number = stem, 1
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    return found
