"""Plots for papers, by matplotlib: readable in greyscale, with titles and units."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offloadasp.judge.simulator import Books
from offloadasp.judge.simulator.blocks import Blocks
from offloadasp.model.strategy import Strategy
from offloadasp.report.actions import COMPUTE, LOAD, WRITE, actions_of
from offloadasp.report.choices import PlotFormat, PlotKind
from offloadasp.report.page.history import loads_by_position
from offloadasp.report.text.words import layer_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILLS = {
    "kernels": ("#d55e00", "///"),
    "pixels": ("#56b4e9", ""),
    "partial_sums": ("#f0e442", "..."),
    "outputs": ("#f7e1ee", "xxx"),
}
"""Kinds of data: colour and hatching."""
TRACKS = {
    "DMA in": ("#56b4e9", ""),
    "compute": ("#e69f00", "///"),
    "DMA out": ("#f7e1ee", "xxx"),
}
"""Rows of the timeline: colour and hatching."""

_TRACK_OF = {LOAD: "DMA in", COMPUTE: "compute", WRITE: "DMA out"}
_NUMBERED = 16  # rows and columns up to which cells hold their number
_BARS = 150  # of a row of the timeline; more become shares of time in so many stretches
_STRETCHES = 100
_SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "offload-asp",
    "savefig.dpi": 200,
}


def draw(kind: PlotKind, strategy: Strategy, books: Books) -> "Figure":
    """Return a plot. The package matplotlib must be there."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.3, 3.5), layout="constrained")
        KINDS[kind](figure, strategy, books)
    return figure


def encoded(figure: "Figure", format: PlotFormat) -> bytes:  # noqa: A002 (matplotlib's name)
    """Return a plot as the content of a file; the same plot gives the same bytes."""
    import matplotlib as mpl

    file = BytesIO()
    with mpl.rc_context(_SETTINGS):
        metadata = {"Date": None} if format is PlotFormat.SVG else {}
        figure.savefig(file, format=format, metadata=metadata)
    return file.getvalue()


def _memory(figure: "Figure", strategy: Strategy, books: Books) -> None:
    axes = figure.add_subplot()
    steps = np.arange(len(books.trace) + 1) + 0.5
    below = np.zeros(len(books.trace))
    for kind, (colour, hatch) in FILLS.items():
        held = np.array([getattr(account.held, kind) for account in books.accounts], dtype=float)
        if not held.any():
            continue
        axes.stairs(
            below + held,
            steps,
            baseline=below,
            fill=True,
            facecolor=colour,
            edgecolor="black",
            linewidth=0.4,
            hatch=hatch,
            label=kind.replace("_", " "),
        )
        below = below + held
    memory = strategy.instance.accelerator.memory
    axes.axhline(memory, color="black", linestyle="--", linewidth=1, label="capacity")
    axes.set(xlim=(steps[0], steps[-1]), ylim=(0, max(memory, below.max(initial=0)) * 1.08))
    _label(axes, "On chip at the peak of each step", strategy, "step", "bytes")
    figure.legend(loc="outside lower center", ncols=5, frameon=False)


def _loads(figure: "Figure", strategy: Strategy, books: Books) -> None:
    axes = figure.add_subplot()
    size = sum(stop - start for start, stop in Blocks(strategy.instance).channel_groups)
    each = size * strategy.instance.precision.input
    loads = loads_by_position(strategy.instance, books)
    used = Blocks(strategy.instance).pixels.positions
    shown = np.where(used, loads / each, np.nan)
    several = len(strategy.instance.decomposition.channel_groups) > 1
    unit = "loads, mean over the channels" if several else "loads"
    _map(figure, axes, shown, unit, "Greys", least=0.0)
    _label(axes, "Loads of each input position", strategy, "input column", "input row")


def _order(figure: "Figure", strategy: Strategy, books: Books) -> None:
    axes = figure.add_subplot()
    height, width = strategy.instance.layer.output_shape[1:]
    step = np.full((height, width), np.nan)
    for t, actions in enumerate(books.actions, start=1):
        for *_, i0, i1, j0, j1 in actions.compute:
            part = step[i0:i1, j0:j1]
            part[np.isnan(part)] = t
    _map(figure, axes, step, "step", "cividis", least=1.0)
    title = "Step that first computes each output position"
    _label(axes, title, strategy, "output column", "output row")


def _timeline(figure: "Figure", strategy: Strategy, books: Books) -> None:
    axes = figure.add_subplot()
    bars: dict[str, list[tuple[float, float]]] = {name: [] for name in TRACKS}
    for one in actions_of(strategy.instance, books):
        if one.action in _TRACK_OF and one.end > one.start:
            _extend(bars[_TRACK_OF[one.action]], float(one.start), float(one.end))
    fine = max(map(len, bars.values())) <= _BARS
    for row, (name, (colour, hatch)) in enumerate(TRACKS.items()):
        look: dict[str, Any] = {
            "facecolor": colour,
            "edgecolor": "black",
            "linewidth": 0.4,
            "hatch": hatch,
        }
        if fine:
            axes.broken_barh(bars[name], (row - 0.4, 0.8), **look)
        else:
            edges = np.linspace(0, float(books.duration), _STRETCHES + 1)
            heights = row + 0.4 - 0.8 * busy(bars[name], edges)
            axes.stairs(heights, edges, baseline=row + 0.4, fill=True, **look)
    axes.set_yticks(range(len(TRACKS)), list(TRACKS))
    axes.set_ylim(len(TRACKS) - 0.5, -0.5)
    axes.set_xlim(0, max(float(books.duration), 1e-9))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    figure.set_size_inches(6.3, 2.2)
    title = "Timeline" if fine else "Timeline: share of time busy (full height: 100 %)"
    _label(axes, title, strategy, "cycles", "")


def busy(bars: list[tuple[float, float]], edges: NDArray[Any]) -> NDArray[Any]:
    """Return which share of the time between each two edges disjoint, sorted bars cover."""
    starts, widths = np.array(bars).reshape(-1, 2).T
    ends = starts + widths
    until = np.r_[0.0, np.cumsum(widths)]
    # Busy time up to each edge: all bars that began before it, less what of the last is after it.
    begun = np.searchsorted(starts, edges, side="right")
    after = np.where(begun > 0, np.maximum(np.r_[0.0, ends][begun] - edges, 0), 0)
    share: NDArray[Any] = np.diff(until[begun] - after) / np.diff(edges)
    return share


def _extend(bars: list[tuple[float, float]], start: float, end: float) -> None:
    """Add a bar (start, width), joined to the last one if it goes on without a gap."""
    if bars and sum(bars[-1]) == start:
        bars[-1] = (bars[-1][0], end - bars[-1][0])
    else:
        bars.append((start, end - start))


def _map(
    figure: "Figure", axes: "Axes", values: NDArray[Any], unit: str, colours: str, least: float
) -> None:
    """Draw a map of cells, with numbers where they are few."""
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    shades = mpl.colormaps[colours].with_extremes(bad="white")
    most = float(np.nanmax(values, initial=1.0))
    image = axes.imshow(values, cmap=shades, vmin=least, vmax=max(most, least + 1), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.set_size_inches(5.2, 4.4)
    figure.colorbar(image, label=unit, ticks=MaxNLocator(integer=True))
    if max(values.shape) <= _NUMBERED:
        for (row, column), value in _cells(values):
            dark = sum(image.to_rgba(value)[:3]) < 1.5  # type: ignore[arg-type]
            colour = "white" if dark else "black"
            axes.text(column, row, f"{value:g}", ha="center", va="center", color=colour, fontsize=7)


def _cells(values: NDArray[Any]) -> Iterable[tuple[tuple[int, int], float]]:
    return (
        ((row, column), float(value))
        for (row, column), value in np.ndenumerate(values)
        if np.isfinite(value)
    )


def _label(axes: "Axes", title: str, strategy: Strategy, x: str, y: str) -> None:
    instance = strategy.instance
    axes.set_title(f"{title}\n{instance.name}: {layer_words(instance.layer)}", loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


KINDS: dict[PlotKind, Callable[["Figure", Strategy, Books], None]] = {
    PlotKind.MEMORY: _memory,
    PlotKind.LOADS: _loads,
    PlotKind.ORDER: _order,
    PlotKind.TIMELINE: _timeline,
}
"""The kinds of plots, by name."""
