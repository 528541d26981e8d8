"""The browser that tests drive: Debian's Chromium, found or installed; `python -m tests.browser` says which.

Where there is none and none may be installed, browser tests are skipped, and say so with the reason.
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
MISSING = "browser tests were NOT run: no Chromium is here; on Debian, apt-get install chromium, or set CHROMIUM"
OPTIONS = (
    "--no-sandbox",  # a container has no user namespaces for it; the pages are our own
    "--disable-blink-features=ViewTransitionOnNavigation",  # half of a click's processor time went into fading
)


def find() -> str | None:
    """Return the path of a Chromium: the one that CHROMIUM names, else the first on the path."""
    if named := os.environ.get("CHROMIUM"):
        return named if os.access(named, os.X_OK) else None
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def install() -> bool:
    """Install Debian's Chromium where there is none and that is allowed; say whether there is one now."""
    if find() is None:
        debian.install(NAMES[0])
    return find() is not None


@asynccontextmanager
async def opened() -> AsyncIterator[Browser]:
    """Open a headless browser; skips the test that asks where there is none."""
    path = find()
    if path is None:
        pytest.skip(MISSING)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        await browser.close()


def main() -> int:
    """Say on one line which browser tests will use."""
    print(f"browser tests use {find()}" if install() else MISSING, file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
