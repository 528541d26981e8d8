"""Run the gateway under uvicorn, with limits that fit a server of calls."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from isthmus.runtime.isolation.sandbox import hide_this_process

from . import logs
from .logs import Format
from .supervisor import EndingServer, Supervisor
from .transport import WholeAnswers

KEEP_ALIVE_S: Final = 30  # longer than a load balancer's default between two requests of one client is
SHUTDOWN_S: Final = 20  # a call has its own deadline, mostly 5 s; flows with outside steps have more
BACKLOG: Final = 2_048


def run(
    factory: str, *, host: str, port: int, workers: int = 1, log_level: str = "info", log_format: Format = "text"
) -> None:
    """Serve the application that `module:function` makes, until interrupted; running calls are let end.

    Each worker is a process that calls the factory for itself, and all of them listen on the same port.
    """
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
        supervisor = Supervisor(config, sockets=[config.bind_socket()])
        supervisor.run()
        has_failed = supervisor.has_failed
    else:
        server = EndingServer(config)
        with suppress(KeyboardInterrupt):
            server.run()
        has_failed = not server.started
    if has_failed:  # whoever watches over this process sees that it did not just end
        raise SystemExit(STARTUP_FAILURE)


def _allow_connections() -> None:
    """Let this process and its workers open as many files as they may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
