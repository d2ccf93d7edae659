"""What the page and the plots tell apart by colour is told apart by every kind of eye, or hatched.

Colour vision deficiencies are simulated by the matrices of Machado, Oliveira and Fernandes (2009),
"A physiologically-based model for simulation of color vision deficiency", severity 1.0.
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from offloadasp.report import plots
from offloadasp.report.page import html

PAGE = Path(html.__file__).parent / "assets"
EYES = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# CIE 1976 differences: 2.3 are just noticeable side by side.
CLEAR = 10.0


def linear(colour: str) -> NDArray[np.float64]:
    """Linear RGB of a colour ``#rrggbb``."""
    value = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of linear RGB, D65."""
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.array(matrix) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = [t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, eye: str) -> float:
    """CIE 1976 difference of two colours to an eye."""
    matrix = np.array(EYES[eye])
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(other))))


def schemes() -> dict[str, dict[str, str]]:
    """Colours by name, in the light and in the dark scheme."""
    light, dark = (PAGE / "page.css").read_text(encoding="utf-8").split("@media (prefers", 1)
    found = re.compile(r"--([\w-]+): (#[0-9a-f]{6})\b")
    both = dict(found.findall(light))
    return {"light": both, "dark": both | dict(found.findall(dark))}


def states() -> dict[str, list[tuple[str, str]]]:
    """Name of the colour and hatching of every state of every grid."""
    script = (PAGE / "draw.js").read_text(encoding="utf-8")
    table = script[script.index("const STATES") : script.index("const IN")]
    kinds = re.findall(r"(\w+): \[\n(.*?)\n  \]", table, re.DOTALL)
    entry = re.compile(r'key: "(\w+)", label: "[^"]+"(?:, hatch: "([^"]+)")?')
    return {kind: [(f"state-{key}", hatch) for key, hatch in entry.findall(t)] for kind, t in kinds}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_of_a_grid_differ_in_hatching_or_clearly_in_colour(scheme: str, eye: str) -> None:
    colours, grids = schemes()[scheme], states()
    assert {len(grid) for grid in grids.values()} == {7}
    for grid in grids.values():
        for (one, hatch), (other, other_hatch) in itertools.combinations(grid, 2):
            far = difference(colours[one], colours[other], eye)
            assert hatch != other_hatch or far >= CLEAR, (one, other, far)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_more_loads_are_a_step_of_lightness_each(scheme: str) -> None:
    heat = [lab(linear(schemes()[scheme][f"heat-{k}"]))[0] for k in range(7)]
    steps = np.diff(heat)
    assert (np.abs(steps) > 5).all()
    assert (np.sign(steps) == np.sign(steps[0])).all()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(scheme: str) -> None:
    colours = schemes()[scheme]

    def luminance(name: str) -> float:
        return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colours[name]))

    for text, ground in (
        ("ink", "paper"),
        ("soft", "paper"),
        ("soft", "panel"),
        ("accent", "paper"),
        ("on-accent", "accent"),
        ("alarm", "paper"),
        ("good", "panel"),
    ):
        high, low = sorted((luminance(text), luminance(ground)), reverse=True)
        # WCAG 2.2, level AA
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


@pytest.mark.parametrize("table", [plots.FILLS, plots.TRACKS])
def test_kinds_in_plots_differ_in_greyscale(table: dict[str, tuple[str, str]]) -> None:
    for (colour, hatch), (other, other_hatch) in itertools.combinations(table.values(), 2):
        apart = abs(lab(linear(colour))[0] - lab(linear(other))[0])
        assert hatch != other_hatch or apart > CLEAR
