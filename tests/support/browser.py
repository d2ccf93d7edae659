"""Opens pages in a headless Chromium, and notes everything that a page should not do."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.invoking import PATIENCE

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return the path of a Chromium; skip the test without one, but fail in CI (see .ci/run)."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = f"no Chromium: none of {', '.join(_NAMES)} is on the path"
        if os.environ.get("OFFLOAD_ASP_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a Chromium with a new, empty profile."""
    path = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, headless=True, args=list(_OPTIONS), timeout=PATIENCE * 1000
        )
        yield launched
        launched.close()


@dataclass
class Opened:
    """A page, and what it complained of and asked for."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def require_quiet(self) -> None:
        """Fail if the page wrote an error or a warning, or asked for anything but itself."""
        assert self.complaints == []
        assert set(self.requests) == {self.address}

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Return what a function of JavaScript returns."""
        return self.page.evaluate(script, argument)

    def figure(self, name: str, panel: int = 0) -> str:
        """Return a figure of the step as the player shows it."""
        shown = self.page.locator(".panel").nth(panel).locator(f"[data-figure={name}]")
        return shown.inner_text().replace(",", "")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true. The page's own rules forbid the driver's way to."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait for the next two frames, so that what was changed has been drawn."""
        self.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )


@contextmanager
def opened(
    browser: Browser,
    path: Path,
    link: str = "",
    *,
    width: int = 1280,
    scheme: str = "light",
    charts: bool = False,
) -> Iterator[Opened]:
    """Open a page and wait until the player is there, or the charts too."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    found = Opened(page, path.as_uri())
    page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url.split("#")[0]))
    page.goto(f"{found.address}{link}")
    page.wait_for_selector("body[data-ready=charts]" if charts else "body[data-ready]")
    yield found
    context.close()
