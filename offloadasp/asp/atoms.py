"""A plan as the atoms of ``step.lp`` that hold for it: what users' rules may ask about.

Atoms that hold for many steps in a row are written as intervals, so that the text is about as long
as the plan. Tests hold the atoms to those of the stable model.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offloadasp.base.arrays import IntArray
from offloadasp.model.plan import Plan

Interval = tuple[str, int, int]
"""A block by its name, and the first and last step in which it is on chip."""


@dataclass(frozen=True)
class Atoms:
    """The atoms of a valid plan in the serial semantics, by predicate.

    Attributes
    ----------
    plan
        Whose actions they are.
    """

    plan: Plan

    def text(self, wanted: Iterable[str]) -> str:
        """Return the facts of some predicates of ``step.lp``, by their names."""
        known: dict[str, Callable[[], Iterator[str]]] = {
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
        }
        return "\n".join(line for name in known if name in wanted for line in known[name]())

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

    def _step(self) -> Iterator[str]:
        yield f"step(1..{self._steps})."

    def _compute(self) -> Iterator[str]:
        return (f"compute({name},{t})." for name, t, _ in self.operations)

    def _done(self) -> Iterator[str]:
        return (f"done({name},{t}..{self._steps})." for name, t, _ in self.operations)

    def _started(self) -> Iterator[str]:
        for (n, i, j), (first, _) in self.spans.items():
            yield f"started(output({i},{j},{n}),{first}..{self._steps})."

    def _complete(self) -> Iterator[str]:
        for (n, i, j), (_, last) in self.spans.items():
            yield f"complete(output({i},{j},{n}),{last}..{self._steps})."

    def _on_chip(self) -> Iterator[str]:
        outputs = ((f"output({i},{j},{n})", a, b) for (n, i, j), a, b in self.outputs)
        return (f"on_chip({name},{a}..{b})." for name, a, b in (*self.inputs, *outputs))

    def _form(self) -> Iterator[str]:
        return (f"form({name},{a}..{b},{form})." for name, a, b, form, _ in self.forms())

    def _occupies(self) -> Iterator[str]:
        sizes = self.sizes
        for name, a, b in self.inputs:
            yield f"occupies({name},{a}..{b},{sizes(name)})."
        for name, a, b, _, size in self.forms():
            yield f"occupies({name},{a}..{b},{size})."

    @cached_property
    def sizes(self) -> Callable[[str], int]:
        """Return the bytes of a pixel or kernel block, by its name."""
        problem = self.plan.problem
        pixel, kernel = problem.pixel_bytes.tolist(), problem.kernel_bytes.tolist()

        def size(name: str) -> int:
            kind, _, inside = name.removesuffix(")").partition("(")
            numbers = inside.split(",")
            if kind == "pixel":
                return int(pixel[int(numbers[2])])
            return int(kernel[int(numbers[0])][int(numbers[1])])

        return size

    def _load(self) -> Iterator[str]:
        yield from (f"load({name},{a})." for name, a, _ in self.inputs)
        for t, n, i, j in self.plan.load_partial_sums.tolist():
            yield f"load(output({i},{j},{n}),{t})."

    def _free(self) -> Iterator[str]:
        return (f"free({name},{b + 1})." for name, _, b in self.inputs)

    def _write(self) -> Iterator[str]:
        return (f"write(output({i},{j},{n}),{b + 1})." for (n, i, j), _, b in self.outputs)

    def _computing(self) -> Iterator[str]:
        return (f"computing({t})." for t in np.unique(self.plan.compute[:, 0]).tolist())

    def _active(self) -> Iterator[str]:
        yield f"active(1..{self._steps})."

    def _moved(self) -> Iterator[str]:
        problem, sizes = self.plan.problem, self.sizes
        for name, a, _ in self.inputs:
            yield f"moved(load,{name},{a},{sizes(name)})."
        for t, n, i, j in self.plan.load_partial_sums.tolist():
            yield f"moved(load,output({i},{j},{n}),{t},{problem.partial_bytes[n]})."
        for t, n, i, j in self.plan.write_outputs.tolist():
            yield f"moved(write,output({i},{j},{n}),{t},{problem.output_bytes[n]})."
        for t, n, i, j in self.plan.write_partial_sums.tolist():
            yield f"moved(write,output({i},{j},{n}),{t},{problem.partial_bytes[n]})."


def _intervals(enter: IntArray, leave: IntArray) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Match the steps in which blocks enter and leave: rows ``(step, key…)``."""
    ins = enter[np.lexsort((enter[:, 0], *enter.T[:0:-1]))].tolist()
    outs = leave[np.lexsort((leave[:, 0], *leave.T[:0:-1]))].tolist()
    for (first, *key), (after, *_) in zip(ins, outs, strict=True):
        yield tuple(key), first, after - 1
