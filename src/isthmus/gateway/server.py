"""Run the gateway under uvicorn, with limits that fit a server of calls."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import ExitStack, suppress
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from isthmus.kernel import errors
from isthmus.runtime.isolation.sandbox import hide_this_process

from .supervisor import EndingServer, Supervisor
from .telemetry import logs
from .telemetry.logs import Format
from .wire.transport import WholeAnswers

KEEP_ALIVE_S: Final = 30  # longer than a load balancer's default between two requests of one client is
SHUTDOWN_S: Final = 20  # a call has its own deadline, mostly 5 s; flows with outside steps have more
BACKLOG: Final = 2_048


class CannotListen(errors.Unavailable):
    """An address cannot be listened on: another program has it, or it is none of this machine's."""

    slug = "cannot-listen"


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that has an address; port 0 lets the system choose. Raises CannotListen.

    No child inherits it: one that outlives a killed server would hold the address, and nothing could be started there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, OverflowError) as error:
        found.close()
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number).lower() if number and number > 0 else str(error)
        raise CannotListen(
            f"{host}:{port} cannot be listened on: {why}",
            remedy="choose another with --port (0: any that is free), or end what listens there",
        ) from None
    return found


def check_listening(host: str, ports: range) -> None:
    """Say before long work that what will be served can be. Raises CannotListen."""
    with ExitStack() as held:
        for port in ports:
            held.callback(listening(host, port).close)


def run(
    factory: str, listens: socket.socket, *, workers: int = 1, log_level: str = "info", log_format: Format = "text"
) -> None:
    """Serve the application that `module:function` makes, until interrupted; running calls are let end.

    listens: the socket to serve on, of `listening`. Each worker is a process that calls the factory for itself, and all
    of them listen on it.
    """
    host, port = listens.getsockname()[:2]
    config = uvicorn.Config(
        factory,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http=WholeAnswers,
        ws="none",
        lifespan="on",
        log_config=logs.config(log_format, log_level),
        log_level=log_level,
        access_log=False,  # the platform's own records say more, and cost less
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        backlog=BACKLOG,
    )
    hide_this_process()
    _allow_connections()
    if workers > 1:
        supervisor = Supervisor(config, sockets=[listens])
        supervisor.run()
        has_failed = supervisor.has_failed
    else:
        server = EndingServer(config)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listens])
        has_failed = not server.started
    if has_failed:  # whoever watches over this process sees that it did not just end
        raise SystemExit(STARTUP_FAILURE)


def _allow_connections() -> None:
    """Let this process and its workers open as many files as they may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
