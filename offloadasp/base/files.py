"""Reading text and tensors and writing files, with errors of one line and nothing half-written."""

import contextlib
import os
import re
import tempfile
import tomllib
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from offloadasp.base.errors import InputError

# Loaded where a tensor is read or written: most files hold none.
if TYPE_CHECKING:
    from numpy.typing import NDArray


class NotTextError(InputError):
    """A file does not hold UTF-8 text."""


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text.

    Raises
    ------
    InputError
        It cannot be read; or, as a `NotTextError`, it is no such text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NotTextError(f"{path}: is not UTF-8 text") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of TOML; decimals stay exact.

    Raises
    ------
    InputError
        It cannot be read, or is no TOML.
    """
    # Editors of some systems begin files with a byte-order mark.
    text = read_text(path).removeprefix("\ufeff")
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise InputError(f"{path}: is not valid TOML: {reason}") from None


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all: into a temporary file beside it, which is then renamed.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text whole or not at all.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    data = text.encode()
    write_whole(path, lambda file: file.write(data))


def load_tensor(path: Path) -> "NDArray[Any]":
    """Read a ``.npy`` file; the simulator checks shape and type.

    Raises
    ------
    InputError
        The file cannot be read, is no ``.npy`` file, is truncated, or holds Python objects.
    """
    import numpy as np

    try:
        # Mapped first, so that a header that claims more than the file holds costs nothing.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files as Python 2 wrote them
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            return np.array(found)
        reason = "an archive of several arrays"
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # numpy documents no full list for malformed headers
        reason = re.sub(r"\s+", " ", str(error)) or type(error).__name__
        if "pickle" in reason:  # numpy's advice is to load it all the same
            reason = "not in NumPy's format, or Python objects in it"
    raise InputError(
        f"{path}: a .npy file of numbers, as numpy.save writes it, is wanted; not this: {reason}"
    )


def save_tensor(path: Path, tensor: "NDArray[Any]") -> None:
    """Write a ``.npy`` file whole or not at all.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    import numpy as np

    write_whole(path, lambda file: np.save(file, tensor, allow_pickle=False))
