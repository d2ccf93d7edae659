"""How long the search may go on: wall clock, or a count of deterministic effort."""

import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """A limit on one search. The only object of a run that its parts share and that changes.

    Attributes
    ----------
    seconds
        Wall-clock limit; infinite when effort is limited by a budget instead.
    evaluations
        Schedules that may still be evaluated; None: any number.
    interrupted
        Set by the handler of Ctrl-C; every loop looks at it.
    """

    seconds: float = float("inf")
    evaluations: int | None = None
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds left; 0 when interrupted."""
        return 0.0 if self.interrupted else max(0.0, self.seconds - self.elapsed)

    def expired(self) -> bool:
        """Whether to stop now."""
        return self.remaining == 0.0

    def spend(self, until: float = 1.0) -> bool:
        """Count one evaluation; return whether the limit allows it.

        Parameters
        ----------
        until
            The share of the wall-clock limit that evaluations may use.
        """
        if self.interrupted or self.elapsed >= self.seconds * until:
            return False
        if self.evaluations is not None:
            if self.evaluations == 0:
                return False
            self.evaluations -= 1
        return True
