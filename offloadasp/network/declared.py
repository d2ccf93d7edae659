"""What a model declares of its inputs and outputs: the batch filled in, contradictions refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnx import GraphProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto

from offloadasp.base.errors import InputError
from offloadasp.network.fit import checked, times
from offloadasp.network.graphs import Shape, operator, shape_of
from offloadasp.network.known import Inferred
from offloadasp.network.shapes import infer


@dataclass(frozen=True)
class Batch:
    """The batch of a model, and the inputs as they were declared before it was filled in.

    Attributes
    ----------
    size
        How many images.
    given
        Whether it was asked for.
    symbolic
        Whether an input has one that may vary.
    """

    size: int
    given: bool
    symbolic: bool
    declared: Sequence[ValueInfoProto] = field(default=(), compare=False)

    @property
    def words(self) -> str:
        """Name it at the beginning of a message."""
        return f"--batch {self.size}" if self.given else f"a batch of {self.size}, the default,"


def fill_batch(path: Path, graph: GraphProto, batch: int | None) -> Batch:
    """Replace symbolic first dimensions of inputs, and the same names elsewhere.

    Raises
    ------
    InputError
        A size is negative, or no first dimension is symbolic though a batch is given.
    """
    declared = [_copy(value) for value in graph.input]
    size = 1 if batch is None else batch
    defaults = {tensor.name for tensor in graph.initializer}
    names: set[str] = set()
    found = False
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in defaults or not dims:
            continue
        # Some exporters write -1 or 0 for what is not known.
        unknown = batch is not None and dims[0].dim_value < (1 if len(dims) > 1 else 0)
        if unknown or not dims[0].HasField("dim_value"):
            names.add(dims[0].dim_param)
            dims[0].dim_value = size
            found = True
    _require_sizes(path, graph.input)
    if batch is not None and not found:
        raise InputError(f"--batch: no input of {path} has a symbolic first dimension")
    # The same name means the same number.
    for dim in _dimensions(*graph.input, *graph.output, *graph.value_info):
        if dim.dim_param and dim.dim_param in names:
            dim.dim_value = size
    for dim in _dimensions(*declared):
        if dim.dim_value < (0 if batch is None else 1):
            dim.ClearField("dim_value")
    return Batch(size, batch is not None, found, declared)


def _copy(value: ValueInfoProto) -> ValueInfoProto:
    copy = ValueInfoProto()
    copy.CopyFrom(value)
    return copy


def _dimensions(*values: ValueInfoProto) -> list[TensorShapeProto.Dimension]:
    return [dim for value in values for dim in value.type.tensor_type.shape.dim]


def require_inputs(path: Path, graph: GraphProto) -> None:
    """Refuse an input that contradicts the initializer that is its default.

    Raises
    ------
    InputError
        The shapes or element types differ.
    """
    declared = {value.name: value.type for value in graph.input}
    for tensor in graph.initializer:
        if tensor.name not in declared:
            continue
        kind = declared[tensor.name]
        shape = shape_of(kind)
        if shape is not None and contradict(shape, tuple(tensor.dims)):
            raise InputError(
                f"{path}: its input {tensor.name} is declared {times(shape)}; its initializer of "
                f"the same name is {times(tensor.dims)}"
            )
        if kind.tensor_type.elem_type not in (0, tensor.data_type):
            raise InputError(
                f"{path}: its input {tensor.name} is declared {_type(kind.tensor_type.elem_type)}; "
                f"its initializer of the same name is {_type(tensor.data_type)}"
            )


def require_batch(path: Path, found: Inferred, graph: GraphProto, batch: Batch) -> None:
    """Refuse a batch under which a node cannot be that can be under others.

    Raises
    ------
    InputError
        There is such a node.
    """
    if not batch.symbolic or not found.clashes:
        return
    always = infer(found.proto, inputs=batch.declared).clashes
    for node in graph.node:
        name = node.output[0] if node.output else ""
        if name in found.clashes and name not in always:
            hint = "" if batch.given else "; --batch says another one"
            raise InputError(
                f"{path}: {batch.words} cannot be: {node.name or name} ({operator(node)}): "
                f"{found.clashes[name]}{hint}"
            )


def require_outputs(path: Path, found: Inferred, graph: GraphProto, batch: Batch) -> None:
    """Refuse a declared output that the nodes cannot make.

    Raises
    ------
    InputError
        Its shape or element type is another one.
    """
    for value in graph.output:
        kind, made = value.type, found.made.get(value.name)
        if made is None or not made.HasField("tensor_type") or not kind.HasField("tensor_type"):
            continue
        ours, theirs = shape_of(made), shape_of(kind)
        if ours is not None and theirs is not None and contradict(theirs, ours):
            words = f"{batch.words} cannot be: " if batch.symbolic else ""
            raise InputError(
                f"{path}: {words}its output {value.name} is declared {times(theirs)}; its nodes "
                f"make {times(ours)}"
            )
        stated, real = kind.tensor_type.elem_type, made.tensor_type.elem_type
        if stated and real and stated != real:
            raise InputError(
                f"{path}: its output {value.name} is declared {_type(stated)}; its nodes make "
                f"{_type(real)}"
            )


def stale(found: Inferred, stored: Mapping[str, TypeProto]) -> list[str]:
    """Return one note on the inner shapes of a file that inference contradicts, if any."""
    wrong: list[tuple[str, Shape, Shape]] = []
    for name, kind in stored.items():
        made = found.made.get(name)
        ours, theirs = None if made is None else shape_of(made), shape_of(kind)
        if ours is not None and theirs is not None and contradict(theirs, ours):
            wrong.append((name, theirs, ours))
    if not wrong:
        return []
    name, theirs, ours = wrong[0]
    more = f", and those of {len(wrong) - 1} more tensors" if len(wrong) > 1 else ""
    return [
        f"the shape {times(theirs)} that the file states of {name}{more} contradict"
        f"{'' if more else 's'} what its inputs and weights make, {times(ours)}; ignored"
    ]


def impossible(found: Inferred, graph: GraphProto) -> list[str]:
    """Return a note for each node that cannot run and is no layer: of these the list tells."""
    return [
        f"{node.name or node.output[0]} ({operator(node)}) cannot run: "
        f"{found.clashes[node.output[0]]}"
        for node in graph.node
        if node.output and node.output[0] in found.clashes and not checked(node.op_type)
    ]


def contradict(one: Shape, other: Shape) -> bool:
    """Whether two shapes cannot be of the same tensor."""
    if len(one) != len(other):
        return True
    return any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True))


def _require_sizes(path: Path, values: Sequence[ValueInfoProto]) -> None:
    for value in values:
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < 0:
                raise InputError(
                    f"{path}: its input {value.name} is declared with the size {dim.dim_value}, "
                    "which is none: give the model a symbolic dimension, or, for a first "
                    "dimension, --batch"
                )


def _type(kind: int) -> str:
    known = kind in TensorProto.DataType.values()
    return TensorProto.DataType.Name(kind).lower() if known else f"type {kind}"
