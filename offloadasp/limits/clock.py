"""The clock of a search: seconds of wall-clock time, or a count of evaluations."""

import time
from dataclasses import dataclass, field
from threading import Event

# The share of a time limit that may be kept for verifying what was found.
_MOST_KEPT = 0.5
# Seconds after the time limit in which a plan may still be verified, where there is a choice.
_BEYOND = 1.5


@dataclass
class Clock:
    """The limit of one search: the only object that all parts of a run share and change.

    Attributes
    ----------
    seconds
        Wall-clock limit; infinite when effort is limited by a budget instead.
    evaluations
        Schedules that may still be evaluated; None: any number.
    stop
        Set by the handler of Ctrl-C, through `interrupted`; every loop looks at it.
    full
        Set where the memory allowed is used up; it ends every search as the time limit does.
    found
        Set once there is a plan: what follows is not abandoned, so that the plan is not lost.
    kept, kept_bytes
        Seconds and memory that the search leaves to what follows; see `keep`.
    """

    seconds: float = float("inf")
    evaluations: int | None = None
    stop: Event = field(default_factory=Event)
    full: Event = field(default_factory=Event)
    found: Event = field(default_factory=Event)
    started: float = field(default_factory=time.monotonic)
    kept: float = 0.0
    kept_bytes: float = 0.0

    @property
    def timed(self) -> bool:
        """Whether the limit is one of time, rather than a count of evaluations."""
        return self.evaluations is None

    @property
    def interrupted(self) -> bool:
        """Whether the user interrupted the search; this holds for all of its parts."""
        return self.stop.is_set()

    @property
    def halted(self) -> bool:
        """Whether the search must end at once: interrupted, or out of memory."""
        return self.interrupted or self.full.is_set()

    @property
    def in_vain(self) -> bool:
        """Whether the search must end at once, and there is no plan to lose by that."""
        return self.halted and not self.found.is_set()

    def interrupt(self) -> None:
        """End the search."""
        self.stop.set()

    def keep(self, seconds: float, memory: float) -> None:
        """Keep seconds and bytes for what follows the search: to verify what was found.

        At least half of the time limit stays for the search.
        """
        self.kept = min(seconds, self.most_kept)
        self.kept_bytes = memory

    @property
    def most_kept(self) -> float:
        """Seconds of the time limit that may be kept for verifying a plan."""
        return self.seconds * _MOST_KEPT

    @property
    def verifying(self) -> float:
        """Seconds that verifying a plan may take, if another plan takes less."""
        return self.most_kept + _BEYOND

    @property
    def searching(self) -> float:
        """Wall-clock limit of the search in seconds."""
        return self.seconds - self.kept

    def part(self, share: float) -> "Clock":
        """Return a clock for a share of the time that is left; both are interrupted together."""
        return Clock(self.remaining * share, self.evaluations, self.stop, self.full, self.found)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds left; 0 when interrupted or out of memory."""
        return 0.0 if self.halted else max(0.0, self.searching - self.elapsed)

    def expired(self) -> bool:
        """Whether to stop now."""
        return self.remaining == 0.0

    def spend(self, until: float = 1.0) -> bool:
        """Count one evaluation; return whether the limit allows it.

        Parameters
        ----------
        until
            The share of the search's wall-clock limit that evaluations may use.
        """
        if self.halted or self.elapsed >= self.searching * until:
            return False
        if self.evaluations is not None:
            if self.evaluations == 0:
                return False
            self.evaluations -= 1
        return True
