"""Accelerator files (TOML): an accelerator without a layer, and its element sizes."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from offloadasp.base.errors import InputError
from offloadasp.base.files import read_toml
from offloadasp.base.messages import explain
from offloadasp.model.instance import Accelerator, Described, Energy, Name, Precision


class Machine(BaseModel):
    """The content of an accelerator file.

    Attributes
    ----------
    accelerator
        As in an instance file.
    precision
        Bytes per element to which the machine's toolchain converts a model's floating-point
        convolutions; None: these keep the model's own types. Convolutions of integers always do.
    energy
        As in an instance file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    accelerator: Accelerator
    precision: Precision | None = None
    energy: Energy | None = None

    @property
    def tables(self) -> dict[str, Any]:
        """The tables that instances on this machine take over as they are."""
        names = Machine.model_fields.keys() & Described.model_fields.keys() - {"name", "precision"}
        return {name: getattr(self, name) for name in names}


def load_machine(path: Path) -> Machine:
    """Read and validate an accelerator file (TOML, UTF-8).

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or breaks the schema.
    """
    try:
        return Machine.model_validate(read_toml(path))
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error, Machine)}") from None
