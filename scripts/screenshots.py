"""Make the pictures of the documentation: scripts/screenshots [FOLDER], by default docs/images."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from offloadasp.model.instance import Layer  # noqa: E402
from offloadasp.model.strategy import save  # noqa: E402
from offloadasp.report import plots  # noqa: E402
from tests.support.browser import Opened, browser, opened  # noqa: E402 (the tests' own)
from tests.support.layers import plan_by_one_traversal  # noqa: E402

LAYER = "lenet5-conv2"
LARGE = Layer(input=(3, 224, 224), kernels=64, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
LARGEST_FILE = 300_000  # bytes
EDGE = 14  # pixels beside a part


def main() -> None:
    """Make all pictures."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        offload_asp("compare", LAYER, "--time-limit", "25", "--out", folder)
        found = folder / f"{LAYER}.strategy.json"
        for kind in plots.KINDS:
            offload_asp("plot", found, "--kind", kind, "--out", out / f"plot-{kind}.png")
        shoot_reports(folder, found, out)
    for path in out.glob("*.png"):
        assert path.stat().st_size < LARGEST_FILE, path


def shoot_reports(folder: Path, found: Path, out: Path) -> None:
    """Show the parts of three reports: one strategy, two of them, and one of a large layer."""
    one, two, large = (folder / f"{name}.html" for name in ("one", "two", "large"))
    zigzag = found.with_name(f"{LAYER}.zigzag.strategy.json")
    vgg = folder / "vgg16-conv1_1.strategy.json"
    save(plan_by_one_traversal(LARGE, memory=4000, macs_per_step=16 * 64 * 27), vgg)
    offload_asp("report", found, "--out", one)
    offload_asp("report", found, zigzag, "--out", two, "--time-limit", "0")
    offload_asp("report", vgg, "--out", large, "--time-limit", "0")
    with browser() as chrome:
        with opened(chrome, one, "#step=14", charts=True) as page:
            shoot(page, "#summary", out / "report-summary.png")
            shoot(page, "#player", out / "report-player.png")
            shoot(page, "#charts", out / "report-charts.png")
            shoot(page, "#baselines", out / "report-comparison.png")
        with opened(chrome, two, "#step=14", charts=True) as page:
            shoot(page, "#player", out / "report-two.png")
        with opened(chrome, large, "#step=1600", scheme="dark", charts=True) as page:
            shoot(page, "#player", out / "report-large-dark.png")
        with opened(chrome, one, "#step=14", width=400, charts=True) as page:
            shoot(page, ".panel", out / "report-narrow.png")


def shoot(page: Opened, part: str, path: Path) -> None:
    """Take a picture of a part of a page, with all of its charts drawn."""
    place = page.page.locator(part).first
    # What follows the scrolling page would cover what is below it.
    page.page.add_style_tag(content=".controls { position: static !important; }")
    for chart in place.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        chart.locator(".main-svg").first.wait_for()
    page.page.wait_for_timeout(300)
    left, top, width, height = place.evaluate(
        "(part) => { const box = part.getBoundingClientRect();"
        " return [box.left + scrollX, box.top + scrollY, box.width, box.height]; }"
    )
    edge = min(left, EDGE)
    clip = {"x": left - edge, "y": top, "width": width + 2 * edge, "height": height}
    page.page.screenshot(path=path, full_page=True, clip=clip)


def offload_asp(*arguments: str | Path) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "offloadasp", *map(str, arguments)], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
