"""The browser that tests drive: Debian's Chromium, found or installed; `python -m tests.browser` says which.

Where there is none and none may be installed, browser tests are skipped, and say so with the reason.

Pages alone are driven by the one without windows where it can be had: the same engine, at a third of the processor
time. It shows no notification and installs no app, so tests of those have the whole one, as has whoever asks for none.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

from tests import debian

NAMES = ("chromium", "chromium-browser", "google-chrome")
LIGHT = "chromium-headless-shell"
MISSING = "browser tests were NOT run: no Chromium is here; on Debian, apt-get install chromium, or set CHROMIUM"
OPTIONS = (
    "--no-sandbox",  # a container has no user namespaces for it; the pages are our own
    "--disable-blink-features=ViewTransitionOnNavigation",  # half of a click's processor time went into fading
)


def find(*, is_light: bool = False) -> str | None:
    """Return the path of a Chromium: the one that CHROMIUM names, else the first on the path; light where it may be."""
    if named := os.environ.get("CHROMIUM"):
        return named if os.access(named, os.X_OK) else None
    names = (LIGHT, *NAMES) if is_light else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


def install() -> bool:
    """Install Debian's Chromium, whole and light, where it is not there and may be; say whether there is one now."""
    if find() is None:
        debian.install(NAMES[0])
    if not os.environ.get("CHROMIUM") and not shutil.which(LIGHT):
        debian.install(LIGHT)
    return find() is not None


@asynccontextmanager
async def opened(*, is_light: bool = False) -> AsyncIterator[Browser]:
    """Open a headless browser, for pages alone where `is_light`; skips the test that asks where there is none."""
    path = find(is_light=is_light)
    if path is None:
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        await browser.close()


def main() -> int:
    """Say on one line which browser tests will use."""
    is_there = install()
    used = f"browser tests use {find()}, and for pages alone {find(is_light=True)}"
    print(used if is_there else MISSING, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
