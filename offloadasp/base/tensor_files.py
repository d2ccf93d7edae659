"""Reads and writes tensors as ``.npy`` files. Nothing in them is executed."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offloadasp.base.errors import InputError
from offloadasp.base.files import write_whole


def load_tensor(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file; the simulator checks shape and type.

    Raises
    ------
    InputError
        The file cannot be read, is no ``.npy`` file, is truncated, or holds Python objects.
    """
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


def save_tensor(path: Path, tensor: NDArray[Any]) -> None:
    """Write a ``.npy`` file whole or not at all.

    Raises
    ------
    InputError
        The folder cannot be made or written.
    """
    write_whole(path, lambda file: np.save(file, tensor, allow_pickle=False))
