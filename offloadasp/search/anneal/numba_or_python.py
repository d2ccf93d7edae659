"""Loops over integers, compiled by numba where it is installed (the extra ``fast``).

Without numba the same source runs as plain Python, on lists, which it indexes faster than arrays.
Nothing compiled here overflows 64 bits or uses floating point, so both ways give the same results.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from offloadasp.base.arrays import IntArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)

try:
    import numba
    from numba.core.caching import FunctionCache
    from numba.core.options import DefaultOptions
except ImportError:
    numba = None
    FunctionCache = object

Ints = IntArray | list[int]
Function = TypeVar("Function", bound=Callable[..., Any])

# numba's own switch, NUMBA_DISABLE_JIT=1 in the environment, turns compiling off.
COMPILES = numba is not None and not numba.config.DISABLE_JIT


def compiled(function: Function) -> Function:
    """Compile a function of integers, arrays and records, once and for all on this machine.

    Where there is no place to keep what is compiled, each process compiles it anew.

    The function must not make arrays. Python can call it only if its name does not begin with
    ``_``; other compiled functions can always.
    """
    if not COMPILES:
        return function
    inner = function.__name__.startswith("_")
    options = {
        "nogil": True,
        # Ways to call every function from C and from Python would take a third of the compiling.
        "no_cfunc_wrapper": True,
        "no_cpython_wrapper": inner,
        # A call hands on every array of a tuple, which takes as long as some functions themselves.
        "forceinline": inner,
    }
    # By default numba counts the references to each array of a tuple wherever the tuple is passed,
    # and the search is more than ten times as slow. What makes no array needs no such counts; numba
    # refuses to compile a function that does make one.
    if hasattr(DefaultOptions, "_nrt"):
        options["_nrt"] = False
    made = numba.njit(**options)(function)
    if place_for(function):
        with suppress(RuntimeError, OSError):  # numba knows of no place
            made._cache = _Cache(function)
            return cast(Function, made)
    unkept.append(function.__name__)
    return cast(Function, made)


unkept: list[str] = []
"""Compiled functions that later processes have to compile anew."""


class _Cache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """What was compiled, in files; what cannot be read or written is done without.

    The files may be another user's or broken, or the disk full. Reading a broken one, which comes
    before writing as well, raises almost anything.
    """

    def load_overload(self, *arguments: Any) -> Any:
        """Return a function that was compiled before, or None."""
        with suppress(Exception):
            return super().load_overload(*arguments)
        return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep a compiled function, if that is possible."""
        with suppress(Exception):
            super().save_overload(*arguments)


def place_for(function: Callable[..., Any]) -> bool:
    """Return whether to look for a place for a compiled function.

    Without a home folder numba makes one called ``~`` where the process happens to be. The first
    place that it looks at is beside the module.
    """
    if os.path.expanduser("~") != "~" or os.environ.get("XDG_CACHE_HOME"):  # noqa: PTH111
        return True
    folder = os.path.dirname(function.__code__.co_filename)  # noqa: PTH120
    kept = os.path.join(folder, "__pycache__")  # noqa: PTH118
    beside = kept if os.path.isdir(kept) else folder  # noqa: PTH112
    return bool(numba.config.CACHE_DIR) or os.access(beside, os.W_OK | os.X_OK)


def ints(values: Sequence[int] | IntArray) -> Ints:
    """Return a copy of integers in the form that compiled functions index fastest."""
    array = np.array(values, dtype=np.int64)
    return array if COMPILES else cast(list[int], array.tolist())


def record(values: "Record") -> "Record":
    """Return a dataclass of integers in a form that compiled functions read and write.

    With numba that is a NumPy record with fields of the same names, else the dataclass itself.
    """
    if not COMPILES:
        return values
    names = [field.name for field in fields(values)]
    made = np.rec.array([astuple(values)], dtype=[(name, np.int64) for name in names])
    return cast("Record", made[0])
