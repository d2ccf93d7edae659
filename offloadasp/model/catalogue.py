"""Finds instances and accelerators: by path, or by the name of a shipped one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offloadasp.base.errors import InputError
from offloadasp.base.messages import nearest
from offloadasp.base.resources import (
    accelerators_folder,
    instances_folder,
    network_instances_folder,
)

# A wrong name is refused before pydantic is loaded, which reads instances.
if TYPE_CHECKING:
    from offloadasp.model.instance import Instance


def shipped_files() -> list[Path]:
    """Return the files of all shipped instances: those made by hand, then layers of networks."""
    folders = (instances_folder(), network_instances_folder())
    return [path for folder in folders for path in sorted(folder.glob("*.toml"))]


def shipped_accelerators() -> list[Path]:
    """Return the files of all shipped accelerators, by name."""
    return sorted(accelerators_folder().glob("*.toml"))


def load_shipped() -> "list[Instance]":
    """Read and validate every shipped instance.

    Raises
    ------
    InputError
        One of them breaks the schema.
    """
    from offloadasp.model.instance import load_instance

    return [load_instance(path) for path in shipped_files()]


def find_instance(name: str) -> Path:
    """Return the file that a user means: a path that exists, else a shipped instance's name.

    Raises
    ------
    InputError
        There is neither; the message lists the shipped names that are close.
    """
    return _find(name, shipped_files(), "instance", "'offload-asp instances' lists them")


def find_accelerator(name: str) -> Path:
    """Return the file that a user means: a path that exists, else a shipped accelerator's name.

    Raises
    ------
    InputError
        There is neither; the message lists the shipped names.
    """
    files = shipped_accelerators()
    return _find(name, files, "accelerator", f"shipped: {', '.join(p.stem for p in files)}")


def _find(name: str, files: Sequence[Path], what: str, hint: str) -> Path:
    # os.path, since pathlib raises for names that the file system cannot hold.
    if os.path.isfile(name):  # noqa: PTH113
        return Path(name)
    shipped = {path.stem: path for path in files}
    if name in shipped:
        return shipped[name]
    if os.path.isdir(name):  # noqa: PTH112
        raise InputError(f"{name}: is a folder; an {what} is a TOML file")
    if os.path.exists(name):  # noqa: PTH110
        return Path(name)
    close = nearest(Path(name).stem or name, shipped, most=3)
    hint = f"did you mean {' or '.join(close)}?" if close else hint
    raise InputError(f"'{name}' is neither a file nor the name of a shipped {what}; {hint}")
