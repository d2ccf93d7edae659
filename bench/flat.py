"""The suite ``flat``: one channel, one kernel, several patches a step, as few steps as possible."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.child import Children
from bench.offload import parse, proved, solve, toml, whole
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, Task, cell, measured

_COMPUTE_CYCLES = 1000


@dataclass(frozen=True)
class Flat:
    """One channel, one kernel, and as many steps as patches need.

    Attributes
    ----------
    side
        Height and width of the input.
    patches
        Patches that a step may compute.
    pixels
        Pixels that fit beside the kernel.
    loads
        Pixel loads to reach and to prove, where such figures are known.
    """

    side: tuple[int, int]
    patches: int
    pixels: int
    loads: tuple[int, int] | None = None
    kernel: int = 3
    stride: int = 1
    pad: int = 0

    @property
    def name(self) -> str:
        """A name that says everything."""
        parts = [
            f"{self.side[0]}x{self.side[1]}",
            f"k{self.kernel}" if self.kernel != 3 else "",
            f"s{self.stride}" if self.stride != 1 else "",
            f"p{self.pad}" if self.pad else "",
            f"g{self.patches}",
            f"m{self.pixels}",
        ]
        return "-".join(part for part in parts if part)

    @property
    def kernel_bytes(self) -> int:
        """Bytes of the kernel, and the multiply-accumulates of a patch."""
        return self.kernel**2

    @property
    def text(self) -> str:
        """The instance file."""
        return toml(
            {
                "name": self.name,
                "layer": {
                    "input": [1, *self.side],
                    "kernels": 1,
                    "kernel_shape": [self.kernel] * 2,
                    "strides": [self.stride] * 2,
                    "pads": [self.pad] * 4,
                },
                "accelerator": {
                    "memory": self.pixels + self.kernel_bytes,
                    "load_cycles": 1,
                    "write_cycles": 1,
                    "compute_cycles": _COMPUTE_CYCLES,
                    "macs_per_step": self.patches * self.kernel_bytes,
                },
                "precision": {"output": 0},
                "decomposition": {"tile": [1, 1], "kernel_groups": 1, "channel_groups": 1},
            }
        )


def square(side: int, patches: int, pixels: int, best: int, bound: int | None = None) -> Flat:
    """Return a square case with figures to reach: without a bound, the best is a proven optimum."""
    return Flat((side, side), patches, pixels, (best, best if bound is None else bound))


CASES = (
    square(6, 4, 16, 40),
    square(6, 4, 20, 36),
    square(7, 3, 16, 55),
    square(7, 4, 16, 61),
    square(7, 4, 20, 51),
    square(8, 4, 20, 70),
    square(9, 4, 20, 89),
    square(9, 4, 24, 85, 84),
    square(10, 4, 20, 112, 109),
    square(10, 4, 24, 108, 103),
    square(12, 4, 24, 158, 148),
    square(12, 8, 32, 153, 144),
    # Others, to see whether these are alike: no figures are known.
    Flat((11, 11), 3, 18),
    Flat((11, 11), 4, 22),
    Flat((14, 14), 4, 28),
    Flat((14, 14), 6, 30),
    Flat((8, 8), 2, 14),
    Flat((9, 9), 6, 24),
    Flat((11, 11), 2, 16, stride=2),
    Flat((13, 13), 3, 22, stride=2),
    Flat((6, 6), 3, 15, pad=1),
    Flat((7, 7), 4, 18, pad=1),
    Flat((9, 9), 2, 32, kernel=5),
    Flat((10, 10), 3, 36, kernel=5),
    Flat((6, 11), 3, 16),
    Flat((6, 11), 4, 20),
)


def measure_flat(children: Children, case: Flat, limits: Limits, *more: str) -> Row:
    """Solve a case; return pixel loads found and proven beside status, time and memory."""
    run = solve(children, case.text, limits, *more)
    if not run.report:
        return run.row
    parts = proved(whole(parse(case.text)), run.report["certificate"])
    fixed = _COMPUTE_CYCLES * parts.steps + case.kernel_bytes
    return {
        **run.row,
        "found": run.report["duration"] - fixed,
        "proven": run.report["lower_bound"] - fixed,
        "steps": run.report["steps"],
    }


def tasks(limits: Limits) -> list[Task]:
    """Return a task for every case."""

    def task(case: Flat) -> Task:
        def work(children: Children) -> Row:
            row = measure_flat(children, case, limits)
            if case.loads is not None and "error" not in row:
                best, bound = case.loads
                row |= {"best": best, "bound": bound}
                row["met"] = row["found"] <= best and row["proven"] >= bound
            return row

        return Task(case.name, work)

    return [task(case) for case in CASES]


def _summary(rows: Sequence[Row]) -> list[str]:
    known = [row for row in measured(rows) if "met" in row]
    others = [row for row in measured(rows) if "met" not in row]
    lines = []
    if known:
        met = sum(row["met"] for row in known)
        first = sum(row["status"] == "optimal" and row["bound"] < row["best"] for row in known)
        lines.append(f"With figures to reach: {met} of {len(known)} met.")
        lines.append(f"Proved optimal where that would be a first: {first}.")
    if others:
        optimal = sum(row["status"] == "optimal" for row in others)
        lines.append(f"Others: {optimal} of {len(others)} proved optimal.")
    return lines


def _met(row: Row) -> str:
    return {None: "-", True: "yes", False: "no"}[row.get("met")]


SUITE = Suite(
    name="flat",
    title="Flat: one channel, one kernel, fewest steps",
    about=(
        "Input height x width, k: kernel (3), s: stride (1), p: pad (0), g: patches a step, "
        f"m: pixels that fit beside the kernel. Outputs have no bytes; compute_cycles is "
        f"{_COMPUTE_CYCLES}, so that the number of steps is the least. Found and proven: pixel "
        "loads, that is duration and lower bound less the compute cycles of the least number of "
        f"steps and the kernel's bytes; a plan with a step more has {_COMPUTE_CYCLES} more. "
        "Goal: pixel loads to reach and to prove. s and MB: wall time and peak memory of the "
        "process."
    ),
    columns=(
        Column("case", cell("name")),
        Column("found", cell("found")),
        Column("proven", cell("proven")),
        Column("status", cell("status")),
        Column("goal", cell("best")),
        Column("to prove", cell("bound")),
        Column("met", _met),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
)
