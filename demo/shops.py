"""The front ends' own shops, beside the API: one process each, on the ports that follow the API's."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from isthmus.runtime.children import with_parent

CODES = ("market", "brand", "fresh")
STOPS_WITHIN_S = 5


@contextmanager
def serving(host: str, port: int, keys: Mapping[str, str], screen: Console) -> Iterator[None]:
    """Serve each shop with its own key and print its address; stop them at the end."""
    running: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what follows is done then too
    try:
        for at, (code, key) in enumerate(keys.items(), start=1):
            facts = {"SHOP_API": f"http://{host}:{port}", "SHOP_KEY": key, "SHOP_SECRET": secrets.token_urlsafe(32)}
            app = ["--factory", f"front_ends.{code}.shop.app:shop", "--host", host, "--port", str(port + at)]
            command = [sys.executable, "-m", "uvicorn", *app, "--log-level", "warning"]
            running.append(subprocess.Popen(with_parent(command), env={**os.environ, **facts}))
            screen.print(f"Shop of {code:<7}http://{host}:{port + at}/")
        yield
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(STOPS_WITHIN_S)
