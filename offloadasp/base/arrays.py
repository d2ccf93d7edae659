"""Names for the types of NumPy arrays, and ranges of several lengths in one array."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def ranges(start: IntArray, stop: IntArray) -> tuple[IntArray, IntArray]:
    """List the members of half-open ranges, one range after the other.

    Parameters
    ----------
    start, stop
        Shape (ranges,); a range is empty if its stop is not above its start.

    Returns
    -------
    owner, member
        Of each member the index of its range, and the member, shape (members,).
    """
    count = np.maximum(stop - start, 0)
    owner = np.repeat(np.arange(len(count)), count)
    first = start - (np.cumsum(count) - count)
    return owner, np.arange(len(owner)) + first[owner]
