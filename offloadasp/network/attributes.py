"""What the attributes of nodes may be: one schema, asked before anything is computed from them.

ONNX's checker compares the types of attributes with the operator's definition, not their values.
"""

from typing import Annotated, Any, Literal

from onnx import AttributeProto, NodeProto, TensorProto, helper
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.types import FiniteFloat

from offloadasp.base.messages import explain, plural

# Far above what a layer may have; sums and products of a few stay within 64 bits.
_MOST = 2**31 - 1

_Positive = Annotated[int, Field(ge=1, le=_MOST)]
_Whole = Annotated[int, Field(ge=-_MOST, le=_MOST)]


class Attributes(BaseModel):
    """The attributes that the operators with weights have, by the names that ONNX gives them.

    Every operator uses a name in the same sense, so that one schema serves all of them; what an
    operator does not have keeps its default. Others are left to the operator.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    auto_pad: Literal["NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER"] = "NOTSET"
    kernel_shape: tuple[_Positive, ...] | None = None
    strides: tuple[_Positive, ...] | None = None
    dilations: tuple[_Positive, ...] | None = None
    pads: tuple[_Whole, ...] | None = None
    output_padding: tuple[_Whole, ...] | None = None
    output_shape: tuple[_Positive, ...] | None = None
    group: _Positive = 1
    hidden_size: _Positive | None = None
    alpha: FiniteFloat = 1.0
    beta: FiniteFloat = 1.0
    transA: _Whole = 0  # noqa: N815 (ONNX's name)
    transB: _Whole = 0  # noqa: N815

    def misfit(self, axes: int) -> str | None:
        """Say which list is not of the length that so many spatial axes demand; None: none is."""
        for name, each in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("pads", 2)):
            found = getattr(self, name)
            if found is not None and len(found) != each * axes:
                return (
                    f"its attribute {name} has {plural(len(found), 'value')}; {each * axes} are "
                    f"needed for {axes}-D"
                )
        return None


class BadAttributesError(Exception):
    """A node's attributes are not what the schema allows; the message says which, and why."""


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name, as they are in the file."""
    found = {}
    for entry in node.attribute:
        try:
            found[entry.name] = helper.get_attribute_value(entry)
        except ValueError:
            found[entry.name] = None  # of no type, or another function's
    return found


def read_attributes(node: NodeProto) -> Attributes:
    """Validate the attributes of a node.

    Raises
    ------
    BadAttributesError
        One of them is of a wrong type or out of range.
    """
    names = [entry.name for entry in node.attribute]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadAttributesError(f"its attribute {twice} is given twice")
    given = {name: _plain(value) for name, value in attributes(node).items()}
    try:
        return Attributes.model_validate(given)
    except ValidationError as error:
        raise BadAttributesError(f"its attribute {explain(error, Attributes)}") from None


def tensors(node: NodeProto) -> list[TensorProto]:
    """Return the tensors that a node holds in attributes, those of its subgraphs left out."""
    found: list[TensorProto] = []
    for entry in node.attribute:
        if entry.type == AttributeProto.TENSOR:
            found.append(entry.t)
        found.extend(entry.tensors)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value
