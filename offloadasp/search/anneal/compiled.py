"""Loops over integers, compiled by numba where it is installed (the extra ``fast``).

Without numba the same source runs as plain Python, on lists, which it indexes faster than arrays.
Nothing compiled here overflows 64 bits or uses floating point, so both ways give the same results.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from offloadasp.base.arrays import IntArray

try:
    import numba
except ImportError:
    numba = None

Ints = IntArray | list[int]
Function = TypeVar("Function", bound=Callable[..., Any])

# numba's own switch, NUMBA_DISABLE_JIT=1 in the environment, turns compiling off.
COMPILES = numba is not None and not numba.config.DISABLE_JIT


def compiled(function: Function) -> Function:
    """Compile a function of integers and arrays of them, once and for all on this machine."""
    if not COMPILES:
        return function
    return cast(Function, numba.njit(cache=True, nogil=True)(function))


def ints(values: Sequence[int] | IntArray) -> Ints:
    """Return a copy of integers in the form that compiled functions index fastest."""
    array = np.array(values, dtype=np.int64)
    return array if COMPILES else cast(list[int], array.tolist())
