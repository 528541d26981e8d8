"""Where a front end answers and within which limits, as the settings say it: a value that imports nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """Where a front end's answers run, and what they may take.

    budget_ms: of one answer, inline. deadline_ms: of one ask to a worker; of all asks of one call to a service.
    memory_mb: of a worker, beyond what Python takes. url: of the service. hidden: folders that a worker finds empty.
    """

    mode: Literal["inline", "process", "http"] = "inline"
    budget_ms: int = 100  # a thousand times what a rule takes, and short enough that others hardly notice
    deadline_ms: int = 200
    memory_mb: int = 256
    url: str = ""
    hidden: tuple[Path, ...] = ()
