"""`isthmus serve`, without what shows a command's help or what is wrong with its words."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WORKERS_MAX: Final = 64
PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """How to serve: what is None the settings say."""

    host: str | None = None
    port: int | None = None
    workers: int = 1


def asked(words: Sequence[str]) -> Serve | None:
    """Return what `isthmus serve` is asked for; None where it is another command, or must be told what is wrong."""
    if not words or words[0] != "serve" or len(words) % 2 == 0:
        return None
    given = dict(zip(words[1::2], words[2::2], strict=True))
    numbers = {name: _number(given.get(name, "1")) for name in ("--port", "--workers")}
    port, workers = numbers["--port"], numbers["--workers"]
    if given.keys() - {"--host", *numbers} or len(given) < len(words) // 2 or port is None or workers is None:
        return None
    if port > PORT_MAX or not 1 <= workers <= WORKERS_MAX or given.get("--host", "x").startswith("-"):
        return None
    return Serve(host=given.get("--host"), port=port if "--port" in given else None, workers=workers)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def serve(wanted: Serve) -> None:
    """Serve the API of every front end until interrupted; what is refused becomes a sentence and exit code 2."""
    from isthmus.kernel import errors

    try:
        run(wanted)
    except (errors.IsthmusError, errors.BuildProblems) as error:
        from .screen import stop

        stop(str(error))


def run(wanted: Serve) -> None:
    """Serve the API of every front end until interrupted."""
    from isthmus.app.config import load_config
    from isthmus.gateway import server

    config = load_config()
    address, number = wanted.host or config.host, config.port if wanted.port is None else wanted.port
    listens = server.listening(address, number)
    _say_way_in(address, listens.getsockname()[1])
    server.run(
        "isthmus.app.server:asgi",
        listens,
        workers=wanted.workers,
        log_level=config.log_level,
        log_format=config.log_format,
    )


def _say_way_in(host: str, port: int) -> None:
    """Say where the console is; the first worker says how to sign in where nobody can yet."""
    from isthmus.app.config import ADDRESS_VARIABLE, FIRST_LINK_VARIABLE, TOKEN_VARIABLE

    os.environ[ADDRESS_VARIABLE] = address = f"http://{host}:{port}"
    os.environ[FIRST_LINK_VARIABLE] = secrets.token_urlsafe(32)  # all workers of this server have the same
    os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(16))
    print(f"console: {address}/console/", flush=True)
