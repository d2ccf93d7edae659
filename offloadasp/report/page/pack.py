"""Arrays of numbers as text for a page: small types, compressed, decoded by ``assets/data.js``."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Arrays that fit none of these are stored as doubles, which are exact up to 2^53.
_UNSIGNED = (np.uint8, np.uint16, np.uint32)


def pack(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return arrays of numbers, not negative, as one JSON object.

    Returns
    -------
    dict
        ``layout`` lists name, type (``u1``, ``u2``, ``u4`` or ``f8``) and number of elements, in
        the order in which the arrays follow each other, little-endian, in ``bytes`` (zlib, then
        base64). Larger types come first, so that every array begins at a multiple of its
        element's size.
    """
    typed = {name: _smallest(np.ravel(array)) for name, array in arrays.items()}
    order = sorted(typed, key=lambda name: -typed[name].dtype.itemsize)
    layout = [[name, _name(typed[name]), len(typed[name])] for name in order]
    data = b"".join(typed[name].tobytes() for name in order)
    return {"layout": layout, "bytes": base64.b64encode(zlib.compress(data, 9)).decode()}


def _smallest(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        largest = int(array.max(initial=0))
        for kind in _UNSIGNED:
            if largest <= np.iinfo(kind).max:
                return array.astype(np.dtype(kind).newbyteorder("<"))
    return array.astype("<f8")


def _name(array: NDArray[Any]) -> str:
    return f"{array.dtype.kind}{array.dtype.itemsize}"
