"""Instance files: a layer, an accelerator, element sizes, and a decomposition that may be open.

The schema of an instance (TOML) and of its resolved form inside a strategy file (JSON).
Everything is frozen, every rate is an exact fraction, and every message is one line that names
file, key, value and what is allowed.
"""

import itertools
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from offloadasp.base.errors import InputError
from offloadasp.base.files import read_toml
from offloadasp.base.messages import explain, plural

# Channel counts and the like, and sides of the input; with the limit on bytes in `problem` every
# sum that clingo forms over one layer stays within its 32-bit integers.
_SIZE_LIMIT = 2**16
_SIDE_LIMIT = 2**14
_RATE_LIMIT = 10**9
_BYTES_LIMIT = 2**62

_FRACTION = re.compile(r"\d{1,18}(/0*[1-9]\d{0,17}|\.\d{1,18})?", re.ASCII)


def _exact_rate(value: object) -> object:
    """Read an integer, a decimal or ``"a/b"`` exactly, as cycles per byte or per action."""
    allowed = "an integer, a decimal or a fraction like '1/4', from 0 to 10^9"
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float | str | Fraction):
        raise PydanticCustomError("rate", f"must be {allowed}")
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        value = f"{value:f}" if value.is_finite() and abs(value.adjusted()) < 20 else "not a rate"
    if isinstance(value, str) and not _FRACTION.fullmatch(value):
        raise PydanticCustomError("rate", f"must be {allowed}")
    rate = Fraction(value)
    if not 0 <= rate <= _RATE_LIMIT:
        raise PydanticCustomError("rate", f"must be {allowed}")
    return rate


def exact_number(value: Fraction) -> int | str:
    """Return a fraction as files hold it: an integer, or ``"a/b"``."""
    return int(value) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


Rate = Annotated[Fraction, BeforeValidator(_exact_rate), PlainSerializer(exact_number)]
Size = Annotated[int, Field(strict=True, ge=1, le=_SIZE_LIMIT)]
Side = Annotated[int, Field(strict=True, ge=1, le=_SIDE_LIMIT)]
Pad = Annotated[int, Field(strict=True, ge=0, le=_SIDE_LIMIT)]
Bytes = Annotated[int, Field(strict=True, ge=1, le=64)]
Span = tuple[
    Annotated[int, Field(strict=True, ge=0)],
    Annotated[int, Field(strict=True, ge=1)],
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Layer(_Table):
    """A convolution with the semantics of ONNX ``Conv``: NCHW, cross-correlation."""

    input: tuple[Size, Side, Side]
    kernels: Size
    kernel_shape: tuple[Size, Size]
    strides: tuple[Size, Size] = (1, 1)
    pads: tuple[Pad, Pad, Pad, Pad] = (0, 0, 0, 0)
    dilations: tuple[Size, Size] = (1, 1)
    group: Size = 1
    bias: bool = Field(default=False, strict=True)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Kernels, output height, output width."""
        _, height, width = self.input
        top, left, bottom, right = self.pads
        spans = ((height + top + bottom, 0), (width + left + right, 1))
        out = [
            (size - self.dilations[a] * (self.kernel_shape[a] - 1) - 1) // self.strides[a] + 1
            for size, a in spans
        ]
        return self.kernels, out[0], out[1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, padded taps included."""
        kernels, height, width = self.output_shape
        taps = self.kernel_shape[0] * self.kernel_shape[1]
        return kernels * height * width * (self.input[0] // self.group) * taps

    @model_validator(mode="after")
    def _consistent(self) -> "Layer":
        if self.input[0] % self.group:
            raise PydanticCustomError(
                "group",
                f"group = {self.group} must divide the {plural(self.input[0], 'input channel')}",
            )
        if self.kernels % self.group:
            raise PydanticCustomError(
                "group", f"group = {self.group} must divide the {plural(self.kernels, 'kernel')}"
            )
        if min(self.output_shape) < 1:
            raise PydanticCustomError(
                "kernel_shape",
                "kernel_shape with dilations must fit into input with pads, but no output is left",
            )
        return self


class Accelerator(_Table):
    """Memory in bytes, DMA rates in cycles per byte, one compute action in cycles and MACs.

    A compute action takes ``compute_cycles`` however full it is, and ``mac_cycles`` for each of its
    multiply-accumulates. With ``overlap``, transfers go on beside it: loads and writes one after
    the other (``dma``), or beside each other as well (``duplex``).
    """

    memory: Annotated[int, Field(strict=True, ge=1, le=_BYTES_LIMIT)]
    load_cycles: Rate
    write_cycles: Rate
    compute_cycles: Rate
    macs_per_step: Annotated[int, Field(strict=True, ge=1, le=_BYTES_LIMIT)]
    mac_cycles: Rate = Fraction(0)
    overlap: Literal["none", "dma", "duplex"] = "none"

    @property
    def overlaps(self) -> bool:
        """Whether transfers go on beside a compute action."""
        return self.overlap != "none"

    def compute_time(self, macs: int) -> Fraction:
        """Return the cycles of a compute action, given its multiply-accumulates; 0 for none."""
        return self.compute_cycles * bool(macs) + self.mac_cycles * macs

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write keys that earlier versions did not have only where they say something."""
        data: dict[str, Any] = serialize(self)
        for key in ("mac_cycles", "overlap"):
            if getattr(self, key) == Accelerator.model_fields[key].default:
                del data[key]
        return data


class Precision(_Table):
    """Bytes per element of each tensor; an output of 0 bytes streams out at no cost."""

    input: Bytes = 1
    weight: Bytes = 1
    output: Annotated[int, Field(strict=True, ge=0, le=64)] = 1
    partial_sum: Bytes = 4


class Energy(_Table):
    """Energy of a byte loaded, a byte written, a MAC, a compute action, and a cycle of duration.

    MACs count padded taps: the array does them.
    """

    unit: Annotated[str, StringConstraints(pattern=r"^[A-Za-zµ]{1,10}$", strict=True)] = "pJ"
    load: Rate = Fraction(0)
    write: Rate = Fraction(0)
    mac: Rate = Fraction(0)
    compute: Rate = Fraction(0)
    static: Rate = Fraction(0)


Auto = Literal["auto"]


def _groups(value: object) -> object:
    sizes = value if isinstance(value, list | tuple) else [value]
    numbers = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    if value != "auto" and not (sizes and numbers and 1 <= min(sizes) <= max(sizes) <= _SIZE_LIMIT):
        raise PydanticCustomError(
            "groups",
            f'must be "auto", a number of groups from 1 to {_SIZE_LIMIT}, or a list of their sizes',
        )
    return value


Groups = Annotated[Size | tuple[Size, ...] | Auto, BeforeValidator(_groups)]


class Choice(_Table):
    """What the user fixed of the decomposition; ``"auto"`` leaves a value to the search."""

    tile: tuple[Size, Size] | Auto = "auto"
    kernel_groups: Groups = "auto"
    channel_groups: Groups = "auto"


class Resolved(_Table):
    """A complete decomposition: contiguous half-open ranges of indices."""

    tile: tuple[Size, Size] = (1, 1)
    kernel_groups: Annotated[tuple[Span, ...], Field(min_length=1)]
    channel_groups: Annotated[tuple[Span, ...], Field(min_length=1)]


def _seconds(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("seconds", "must be a number of seconds above 0")
    return float(value)


class SearchOptions(_Table):
    """Defaults of the command line's options of the same names."""

    time_limit: Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=10**7)] = 60.0
    threads: Annotated[int, Field(strict=True, ge=1, le=64)] = 2
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = 0


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$", strict=True)]


class Described(_Table):
    """The part that an instance file and the instance inside a strategy file have in common."""

    name: Name
    layer: Layer
    accelerator: Accelerator
    precision: Precision = Precision()
    energy: Energy | None = None

    @property
    def described(self) -> dict[str, Any]:
        """What is to be computed on what, apart from the decomposition and the search."""
        return {key: getattr(self, key) for key in Described.model_fields}

    @model_validator(mode="after")
    def _name_is_a_file_name(self) -> "Described":
        if set(self.name) == {"."}:
            raise PydanticCustomError("name", "name must hold a character other than '.'")
        return self


def split_evenly(total: int, parts: int) -> tuple[tuple[int, int], ...]:
    """Split ``range(total)`` into ranges whose sizes differ by at most one, larger first."""
    size, larger = divmod(total, parts)
    stops = [k * size + min(k, larger) for k in range(parts + 1)]
    return tuple(itertools.pairwise(stops))


def _resolve_groups(
    key: str, value: int | tuple[int, ...], total: int
) -> tuple[tuple[int, int], ...]:
    if isinstance(value, int):
        if value > total:
            raise PydanticCustomError(
                "groups", f"decomposition.{key} = {value} must be at most {total}"
            )
        return split_evenly(total, value)
    if sum(value) != total:
        raise PydanticCustomError(
            "groups", f"decomposition.{key} has sizes that add up to {sum(value)}, not to {total}"
        )
    stops = [sum(value[:k]) for k in range(len(value) + 1)]
    return tuple(itertools.pairwise(stops))


class Instance(Described):
    """The content of an instance file: layer, accelerator, decomposition and search options."""

    decomposition: Choice | Auto = Choice()
    search: SearchOptions = SearchOptions()

    @property
    def choice(self) -> Choice:
        """The decomposition table, the word ``"auto"`` for the whole of it included."""
        return Choice() if self.decomposition == "auto" else self.decomposition

    @property
    def fixed_kernel_groups(self) -> tuple[tuple[int, int], ...] | None:
        """Half-open ranges of kernels, or None where the search chooses."""
        value = self.choice.kernel_groups
        if value == "auto":
            return None
        return _resolve_groups("kernel_groups", value, self.layer.kernels)

    @property
    def fixed_channel_groups(self) -> tuple[tuple[int, int], ...] | None:
        """Half-open ranges of input channels, or None where the search chooses."""
        value = self.choice.channel_groups
        if value == "auto":
            return None
        return _resolve_groups("channel_groups", value, self.layer.input[0])

    @model_validator(mode="after")
    def _groups_fit(self) -> "Instance":
        _ = self.fixed_kernel_groups, self.fixed_channel_groups
        tile = self.choice.tile
        _, *out = self.layer.output_shape
        if tile != "auto" and (tile[0] > out[0] or tile[1] > out[1]):
            raise PydanticCustomError(
                "tile", f"decomposition.tile must be at most the output's {out[0]} x {out[1]}"
            )
        return self


class ResolvedInstance(Described):
    """The instance inside a strategy file: the decomposition as ranges, no ``auto`` left."""

    decomposition: Resolved
    search: SearchOptions = SearchOptions()

    @model_validator(mode="after")
    def _ranges_partition(self) -> "ResolvedInstance":
        totals = {"kernel_groups": self.layer.kernels, "channel_groups": self.layer.input[0]}
        for key, total in totals.items():
            spans: tuple[Span, ...] = getattr(self.decomposition, key)
            starts, stops = [a for a, _ in spans], [b for _, b in spans]
            if starts != [0, *stops[:-1]] or stops[-1] != total or any(a >= b for a, b in spans):
                raise PydanticCustomError(
                    "groups", f"decomposition.{key} must be ranges that partition 0 to {total}"
                )
        return self


def parse_instance(data: Mapping[str, Any], source: str) -> Instance:
    """Validate a parsed instance file; ``source`` is the file's name for messages.

    Raises
    ------
    InputError
        One line naming file, key, value and what is allowed.
    """
    try:
        return Instance.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {explain(error, Instance)}") from None


def load_instance(path: Path) -> Instance:
    """Read and validate an instance file (TOML, UTF-8).

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or breaks the schema.
    """
    return parse_instance(read_toml(path), str(path))
