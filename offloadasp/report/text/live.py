"""The line of progress: incumbent, bound, gap and time left while the search runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from offloadasp.limits.clock import Clock
from offloadasp.model.objectives import gap
from offloadasp.report.text.words import mixed, percent
from offloadasp.search.pool import Status

_REFRESHES_PER_SECOND = 8


class LiveLine:
    """A line on standard error that shows what the search knows, if that is a terminal."""

    def __init__(self, clock: Clock, *, shown: bool) -> None:
        self._clock = clock
        self._status: Status | None = None
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._shown = shown and self._console.is_terminal

    def tell(self, status: Status) -> None:
        """Take a progress message from the search."""
        self._status = status

    def __rich__(self) -> Text:
        """Return the line as it is now."""
        return Text(self.text, no_wrap=True, overflow="ellipsis")

    @property
    def text(self) -> str:
        """The line's text."""
        parts = [self._stage]
        status = self._status
        if status is not None and status.incumbent is not None:
            parts.append(f"incumbent {mixed(status.incumbent)}")
        if status is not None and status.bound:
            parts.append(f"bound {mixed(status.bound)}")
        if status is not None and status.incumbent and status.bound:
            parts.append(f"gap {percent(gap(status.incumbent, status.bound))}")
        if self._clock.seconds < float("inf") and not self._clock.interrupted:
            parts.append(f"{self._clock.remaining:.0f} s left")
        return " | ".join(parts)

    @property
    def _stage(self) -> str:
        if self._clock.interrupted:
            return "interrupted, verifying the best"
        return self._status.stage if self._status else "bounds"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the line on screen while the context lasts."""
        if not self._shown:
            yield
            return
        live = Live(
            get_renderable=self.__rich__,
            console=self._console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live:
            # A second Ctrl-C ends the process at once: nobody would bring a hidden cursor back.
            self._console.show_cursor(True)
            yield
