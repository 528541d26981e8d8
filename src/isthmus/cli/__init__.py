"""The command line: every command is here, and nothing below starts it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .serve import asked, serve

if TYPE_CHECKING:
    from .main import main_app as main_app


def main() -> None:
    """Run a command. A server keeps all that it imports, so one that is asked for plainly does without the others."""
    if wanted := asked(sys.argv[1:]):
        serve(wanted)
        return
    from .main import main as run

    run()


def __getattr__(name: str) -> Any:
    if name == "main_app":
        from .main import main_app

        return main_app
    raise AttributeError(name)
