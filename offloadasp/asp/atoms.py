"""A plan as the atoms of ``step.lp`` that hold for it: what users' rules may ask about.

Atoms that hold for many steps in a row are written as intervals, so that the text is about as long
as the plan. Tests hold the atoms to those of the stable model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offloadasp.asp.facts import scaled_times
from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan

Interval = tuple[str, int, int]
"""A block by its name, and the first and last step in which it is on chip."""

Pattern = tuple[str, int, int]
"""An atom with ``@`` for the step, and the first and last step for which it holds."""

Ranges = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Atoms:
    """The atoms of a valid plan, by predicate.

    Attributes
    ----------
    plan
        Whose actions they are.
    """

    plan: Plan

    def text(self, wanted: Iterable[str], where: Mapping[str, Ranges] | None = None) -> str:
        """Return the facts of some predicates of ``step.lp``.

        Parameters
        ----------
        wanted
            Names of predicates.
        where
            The ranges of steps of which atoms are wanted, by predicate; None: of all steps.
        """
        limits, known = where or {}, self._known
        return "\n".join(
            line
            for name in known
            if name in wanted
            for pattern, first, last in known[name]()
            for line in _lines(pattern, first, last, limits.get(name))
        )

    def count(self, wanted: Iterable[str]) -> int:
        """Return the number of the plan's atoms of some predicates."""
        known = self._known
        return sum(
            last - first + 1 for name in known if name in wanted for _, first, last in known[name]()
        )

    @property
    def _known(self) -> dict[str, Callable[[], Iterator[Pattern]]]:
        return {
            "step": self._step,
            "compute": self._compute,
            "on_chip": self._on_chip,
            "load": self._load,
            "free": self._free,
            "write": self._write,
            "done": self._done,
            "started": self._started,
            "complete": self._complete,
            "form": self._form,
            "occupies": self._occupies,
            "computing": self._computing,
            "active": self._active,
            "moved": self._moved,
            "waits": self._waits,
        }

    @property
    def _steps(self) -> int:
        return self.plan.steps

    @cached_property
    def operations(self) -> list[tuple[str, int, tuple[int, int, int]]]:
        """Each operation, its step, and its kernel group and tile (N, I, J)."""
        height, width = self.plan.problem.decomposition.tile
        rows = self.plan.compute.copy()
        rows[:, 3] //= height
        rows[:, 4] //= width
        return [
            (f"op({i},{j},{n},{q})", t, (n, i, j))
            for t, n, q, i, j in np.unique(rows, axis=0).tolist()
        ]

    @cached_property
    def spans(self) -> dict[tuple[int, int, int], tuple[int, int]]:
        """The first and the last step that computes an output (N, I, J)."""
        found: dict[tuple[int, int, int], tuple[int, int]] = {}
        for t, n, _, i, j in self.plan.compute.tolist():
            first, last = found.get((n, i, j), (t, t))
            found[n, i, j] = min(first, t), max(last, t)
        return found

    @cached_property
    def inputs(self) -> list[Interval]:
        """Where pixel and kernel blocks are on chip."""
        plan = self.plan
        pixels = _intervals(plan.load_pixels, plan.free_pixels)
        kernels = _intervals(plan.load_kernels, plan.free_kernels)
        return [
            *((f"pixel({r},{c},{q})", a, b) for (q, r, c), a, b in pixels),
            *((f"kernel({n},{q})", a, b) for (n, q), a, b in kernels),
        ]

    @cached_property
    def outputs(self) -> list[tuple[tuple[int, int, int], int, int]]:
        """Where output blocks (N, I, J) are on chip."""
        plan = self.plan
        begun = [(first, *key) for key, (first, _) in self.spans.items()]
        enter = np.array([*begun, *plan.load_partial_sums.tolist()], dtype=np.int64)
        leave = np.concatenate([plan.write_outputs, plan.write_partial_sums])
        return [((n, i, j), a, b) for (n, i, j), a, b in _intervals(enter.reshape(-1, 4), leave)]

    def forms(self) -> Iterator[tuple[str, int, int, str, int]]:
        """Yield output blocks with the steps, the form and the bytes that they have in them."""
        problem = self.plan.problem
        for (n, i, j), a, b in self.outputs:
            first, last = self.spans[n, i, j]
            partial, complete = int(problem.partial_bytes[n]), int(problem.output_bytes[n])
            name, turns = f"output({i},{j},{n})", first < last
            parts = (
                (a, min(b, last - 1), "partial", partial),
                (
                    last,
                    last if a <= last <= b and turns else 0,
                    "completing",
                    max(partial, complete),
                ),
                (max(a, last + turns), b, "complete", complete),
            )
            yield from ((name, x, y, form, size) for x, y, form, size in parts if x <= y)

    def _step(self) -> Iterator[Pattern]:
        yield "step(@)", 1, self._steps

    def _compute(self) -> Iterator[Pattern]:
        return ((f"compute({name},@)", t, t) for name, t, _ in self.operations)

    def _done(self) -> Iterator[Pattern]:
        return ((f"done({name},@)", t, self._steps) for name, t, _ in self.operations)

    def _started(self) -> Iterator[Pattern]:
        for (n, i, j), (first, _) in self.spans.items():
            yield f"started(output({i},{j},{n}),@)", first, self._steps

    def _complete(self) -> Iterator[Pattern]:
        for (n, i, j), (_, last) in self.spans.items():
            yield f"complete(output({i},{j},{n}),@)", last, self._steps

    def _on_chip(self) -> Iterator[Pattern]:
        outputs = ((f"output({i},{j},{n})", a, b) for (n, i, j), a, b in self.outputs)
        return ((f"on_chip({name},@)", a, b) for name, a, b in (*self.inputs, *outputs))

    def _form(self) -> Iterator[Pattern]:
        return ((f"form({name},@,{form})", a, b) for name, a, b, form, _ in self.forms())

    def _occupies(self) -> Iterator[Pattern]:
        sizes = self.sizes
        for name, a, b in self.inputs:
            yield f"occupies({name},@,{sizes[name]})", a, b
        for name, a, b, _, size in self.forms():
            yield f"occupies({name},@,{size})", a, b
        if self.plan.problem.semantics.overlaps:
            for action, name, t, size in self._moved_outputs():
                if action == "write":
                    yield f"occupies({name},@,{size})", t, t

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The bytes of the pixel and kernel blocks that the plan loads, by their names."""
        problem, plan = self.plan.problem, self.plan
        _, q, r, c = plan.load_pixels.T
        _, n, k = plan.load_kernels.T
        pixels = zip(r.tolist(), c.tolist(), q.tolist(), strict=True)
        kernels = zip(n.tolist(), k.tolist(), strict=True)
        names = [f"pixel({a},{b},{d})" for a, b, d in pixels]
        names += [f"kernel({a},{b})" for a, b in kernels]
        sizes = [*problem.pixel_bytes[q].tolist(), *problem.kernel_bytes[n, k].tolist()]
        return dict(zip(names, sizes, strict=True))

    def _load(self) -> Iterator[Pattern]:
        yield from ((f"load({name},@)", a, a) for name, a, _ in self.inputs)
        for t, n, i, j in self.plan.load_partial_sums.tolist():
            yield f"load(output({i},{j},{n}),@)", t, t

    def _free(self) -> Iterator[Pattern]:
        return ((f"free({name},@)", b + 1, b + 1) for name, _, b in self.inputs)

    def _write(self) -> Iterator[Pattern]:
        for (n, i, j), _, b in self.outputs:
            yield f"write(output({i},{j},{n}),@)", b + 1, b + 1

    def _computing(self) -> Iterator[Pattern]:
        return (("computing(@)", t, t) for t in np.unique(self.plan.compute[:, 0]).tolist())

    def _active(self) -> Iterator[Pattern]:
        yield "active(@)", 1, self._steps

    def _moved(self) -> Iterator[Pattern]:
        for name, a, _ in self.inputs:
            yield f"moved(load,{name},@,{self.sizes[name]})", a, a
        for action, name, t, size in self._moved_outputs():
            yield f"moved({action},{name},@,{size})", t, t

    def _moved_outputs(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield what is done to output blocks, their names, the step, and their bytes then."""
        problem, plan = self.plan.problem, self.plan
        tables = (
            ("load", plan.load_partial_sums, problem.partial_bytes),
            ("write", plan.write_outputs, problem.output_bytes),
            ("write", plan.write_partial_sums, problem.partial_bytes),
        )
        for action, rows, sizes in tables:
            for t, n, i, j in rows.tolist():
                yield action, f"output({i},{j},{n})", t, int(sizes[n])

    def _waits(self) -> Iterator[Pattern]:
        """Yield the powers of two that add up to the scaled cycles that each step waits."""
        unit = scaled_times(self.plan.problem).unit
        for t, wait in enumerate(self.plan.waits(), start=1):
            scaled = int(wait / unit)
            for k in range(scaled.bit_length()):
                if scaled >> k & 1:
                    yield f"waits(@,{1 << k})", t, t


def _lines(pattern: str, first: int, last: int, ranges: Ranges | None) -> Iterator[str]:
    """Yield the facts of a pattern within ranges of steps."""
    for low, high in [(first, last)] if ranges is None else ranges:
        a, b = max(first, low), min(last, high)
        if a <= b:
            yield f"{pattern.replace('@', str(a) if a == b else f'{a}..{b}')}."


def _intervals(enter: IntArray, leave: IntArray) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Match the steps in which blocks enter and leave: rows ``(step, key…)``."""
    ins = enter[np.lexsort((enter[:, 0], *enter.T[:0:-1]))].tolist()
    outs = leave[np.lexsort((leave[:, 0], *leave.T[:0:-1]))].tolist()
    for (first, *key), (after, *_) in zip(ins, outs, strict=True):
        yield tuple(key), first, after - 1
