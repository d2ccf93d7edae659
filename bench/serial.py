"""The suite ``serial``: the kernel stays on chip and each step computes one patch."""

from collections.abc import Sequence

from bench.case import Case, load
from bench.child import Children
from bench.flat import pixel_loads, pixels_text
from bench.record import Row
from bench.suite import PEAK, SECONDS, Column, Limits, Suite, cell, measured


class Serial(Case):
    """One channel, one kernel, one patch a step; see ``bench/cases/serial.toml``."""

    outputs: int
    kernel: int
    pixels: int
    bound: int
    best: int
    stride: int = 1

    @property
    def name(self) -> str:
        """A name that says everything."""
        stride = f"-s{self.stride}" if self.stride != 1 else ""
        return f"{self.outputs}x{self.outputs}-k{self.kernel}{stride}-m{self.pixels}"

    @property
    def text(self) -> str:
        """The instance file."""
        side = (self.outputs - 1) * self.stride + self.kernel
        return pixels_text(
            self.name, (side, side), kernel=self.kernel, stride=self.stride, pixels=self.pixels
        )


def _cases() -> list[Serial]:
    return load("serial", Serial)


def _work(children: Children, case: Serial, limits: Limits) -> Row:
    row = pixel_loads(children, case.text, limits)
    if "error" in row:
        return row
    del row["steps"]
    found, proven = row["found"], row["proven"]
    return {
        **row,
        "open": found - proven,
        "bound": case.bound,
        "best": case.best,
        "open_before": case.best - case.bound,
        "met": found <= case.best and proven >= case.bound,
    }


def _summary(rows: Sequence[Row]) -> list[str]:
    rows = measured(rows)
    now, before = (sum(row[key] for row in rows) for key in ("open", "open_before"))
    worse = [str(row["name"]) for row in rows if not row["met"]]
    share = 100 * abs(before - now) / before if before else 0
    return [
        f"Open between the two over {len(rows)} of {len(_cases())} rows: {now} pixels, "
        f"{share:.1f} % {'more' if now > before else 'less'} than the {before} to beat.",
        f"Rows with a lesser bound or more loads: {', '.join(worse) or 'none'}.",
    ]


SUITE = Suite(
    name="serial",
    title="Serial: kernel resident, one patch a step",
    about=(
        "Output height x width, k: kernel, s: stride (1), m: pixels that fit beside the kernel. "
        "Outputs have no bytes. Proven and found: pixel loads, that is lower bound and duration "
        "less the compute cycles and the kernel's bytes. The columns after them are the figures "
        "to beat, and open is the difference. s and MB: wall time and peak memory of the process."
    ),
    columns=(
        Column("case", cell("name")),
        Column("proven", cell("proven")),
        Column("found", cell("found")),
        Column("open", cell("open")),
        Column("bound", cell("bound")),
        Column("best", cell("best")),
        Column("open", cell("open_before")),
        SECONDS,
        PEAK,
    ),
    summary=_summary,
    cases=_cases,
    work=_work,
)
