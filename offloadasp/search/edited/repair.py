"""Windows of steps that clingo changes, one after the other, so that less is broken or paid."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from offloadasp.asp.overlay import Overlay, Reading
from offloadasp.asp.window import Window, Windows
from offloadasp.limits.clock import Clock
from offloadasp.model.plan import Plan, without_empty_steps

# Steps and operations of a window at most, and conflicts of its search.
_WIDEST, _OPERATIONS, _CONFLICTS = 6, 160, 4_000
# Windows without any gain after which wider ones are tried.
_PATIENCE = 12


@dataclass
class Repair:
    """A local search whose moves are made by clingo under the rules in force.

    Attributes
    ----------
    read
        Reads a plan by the rules.
    plan, reading
        The plan so far, and what the rules say of it.
    """

    overlay: Overlay
    plan: Plan
    reading: Reading
    read: Callable[[Plan], Reading | None]
    clock: Clock
    seed: int
    width: int = field(default=2, init=False)
    idle: int = field(default=0, init=False)

    def run(self, windows: int | None, done: Callable[[], bool]) -> None:
        """Open windows until nothing is left to gain, or the clock or their number runs out."""
        search = Windows(self.overlay)
        rng = random.Random(self.seed)
        opened = 0
        for first, last, more in self._choices(rng):
            if self.clock.expired() or done() or opened == windows:
                return
            opened += 1
            window = Window.of(self.plan, first, last, more)
            if len(window.moving) > _OPERATIONS and last > first:
                self._note(gained=False)
                continue
            seed = self.seed + opened
            found = search.improve(window, self.reading, _CONFLICTS, self.clock, seed)
            self._note(gained=found is not None and self._take(found))

    def _take(self, found: Plan) -> bool:
        """Take a plan that the rules like as well; whether they like it better."""
        # The step after a window may have nothing left to do, which the window's rules do not see.
        found = without_empty_steps(found)
        reading = self.read(found)
        before = self.reading.order()
        if reading is None or reading.order() > before:
            return False
        self.plan, self.reading = found, reading
        return reading.order() < before

    def _note(self, *, gained: bool) -> None:
        self.idle = 0 if gained else self.idle + 1
        if self.idle >= _PATIENCE:
            self.idle, self.width = 0, self.width % _WIDEST + 1

    def _choices(self, rng: random.Random) -> Iterator[tuple[int, int, int]]:
        """Yield windows: where rules are broken, else anywhere, and steps gained or lost."""
        while True:
            broken = [step for one in self.reading.broken for step in one.steps]
            steps = self.plan.steps
            at = rng.choice(broken) if broken else rng.randint(1, steps)
            width = rng.randint(1, self.width)
            first = int(np.clip(at - rng.randint(0, width - 1), 1, steps))
            last = min(steps, first + width - 1)
            more = rng.choice((0, 1, 1, 2, -1) if broken else (0, 0, 1, -1, -1))
            if last + more >= first:
                yield first, last, more
