"""Logs of a server: a line of text with time and level, or a line of JSON with the call as well.

`[log] format = "json"` writes, of each record: time, level, logger, message; call, front_end and client where a call
was running; error and trace where one was raised. What looks like an e-mail address or a phone number is masked:
exceptions of libraries and databases repeat what they were given.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, Literal

from isthmus.personal import MASK

Format = Literal["text", "json"]
LEVELS: Final = ("debug", "info", "warning", "error")
CHATTY: Final = ("httpx", "httpcore")  # a line for each ask of a front end's service
TRACE_MAX: Final = 16_000  # characters: collectors cut longer lines

call_now: ContextVar[tuple[str, str, str] | None] = ContextVar("isthmus_call", default=None)  # id, front end, client

_PERSONAL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|(?<![\w.:-])\+\d[\d ()/-]{6,}\d")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_persons(record.getMessage()),
        }
        if call := call_now.get():
            said |= zip(("call", "front_end", "client"), call, strict=True)
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
            said["trace"] = without_persons(self.formatException(record.exc_info))[-TRACE_MAX:]
        return json.dumps(said, ensure_ascii=False)


def without_persons(text: str) -> str:
    """Return a text without what looks like an e-mail address or a phone number."""
    return _PERSONAL.sub(MASK, text)


def config(format: Format, level: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` reads, for this process and the workers that it starts."""
    text = {"format": "%(asctime)s %(levelname)-8s %(name)s: %(message)s"}
    lines = {"()": f"{__name__}.JsonLines"} if format == "json" else text
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": lines},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        "loggers": {name: {"level": "WARNING"} for name in CHATTY},
        "root": {"handlers": ["stderr"], "level": level.upper()},
    }
