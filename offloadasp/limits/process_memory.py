"""A limit on the memory of this process. Searches end before it is used up."""

import threading
from pathlib import Path
from types import TracebackType

from offloadasp.base.errors import InputError
from offloadasp.limits.clock import Clock

try:
    import resource
except ImportError:  # no such thing on Windows
    resource = None  # type: ignore[assignment]

_MEGABYTE = 10**6
_MOST = 10**9
# The search ends at this share of the limit: the rest is for checking and writing what it found.
# What is found may need more for its check, but the search gets this share in any case.
_SEARCH_SHARE, _LEAST_SHARE = 0.75, 0.5
# What a run needs beyond what a process holds that has only started.
_ROOM = 60 * _MEGABYTE
_POLL_SECONDS = 0.02
_STATUS = Path("/proc/self/status")


class MemoryLimit:
    """While entered, this process holds at most so many megabytes of data.

    The system refuses what goes beyond (``RLIMIT_DATA``), which Python raises as `MemoryError`.
    Before that, a search is ended as by its time limit. None: no limit.

    Raises
    ------
    InputError
        On entering: see `require_memory`.
    """

    def __init__(self, megabytes: int | None, clock: Clock) -> None:
        self._megabytes = megabytes
        self._clock = clock
        self._done = threading.Event()

    def __enter__(self) -> "MemoryLimit":
        if self._megabytes is None:
            return self
        require_memory(self._megabytes)
        limit = self._megabytes * _MEGABYTE
        self._before = resource.getrlimit(resource.RLIMIT_DATA)
        _, hard = self._before
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
        threading.Thread(target=self._watch, args=(most,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._megabytes is not None:
            resource.setrlimit(resource.RLIMIT_DATA, self._before)

    def _watch(self, most: float) -> None:
        while not self._done.wait(_POLL_SECONDS):
            kept = min(self._clock.kept_bytes, most * (1 - _LEAST_SHARE))
            if held() >= min(most * _SEARCH_SHARE, most - kept):
                self._clock.full.set()
                return


def _settle() -> None:
    """Make NumPy's BLAS allocate its buffers now: it ends the process if it cannot do so later."""
    import numpy as np  # of no use to a command that only refuses its options

    for kind in (np.float32, np.float64):
        square = np.ones((512, 512), kind)
        square @ square


def require_memory(megabytes: int | None) -> None:
    """Check that a limit leaves enough for any run.

    Raises
    ------
    InputError
        It is out of range or too low for any run, or the system does not support limits.
    """
    if megabytes is None:
        return
    if not 1 <= megabytes <= _MOST:
        raise InputError(f"--memory-limit: must be from 1 to {_MOST} megabytes, not {megabytes}")
    if resource is None or not _STATUS.exists():
        raise InputError("--memory-limit: this system does not support it; Linux does")
    _settle()
    least = -(-(held() + _ROOM) // _MEGABYTE)
    if megabytes < least:
        raise InputError(
            f"--memory-limit: must be at least {least} megabytes here, not {megabytes}"
        )


def limited() -> bool:
    """Whether the system limits the data of this process."""
    return resource is not None and (
        resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
    )


def held() -> int:
    """Return the bytes of data that this process holds, as the system's limit counts them."""
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
