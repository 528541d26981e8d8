"""What is said through a broker, decided: subjects of what leaves, and what comes in read as CloudEvents 1.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from isthmus.kernel import decode, errors

from . import api

STRUCTURED: Final = "application/cloudevents+json"
SPEC: Final = "1.0"


class NotACloudEvent(errors.BadAsk):
    """A message of a broker is no event of CloudEvents 1.0."""

    slug = "broker.not-a-cloud-event"

    def __init__(self, *, because: str) -> None:
        super().__init__(
            f"a message is no CloudEvent: {because}",
            remedy=f"send JSON as {STRUCTURED}, or its attributes as headers that begin with ce-",
        )


def subject_of(prefix: str, front_end: str, kind: str) -> str:
    """Return where an event goes: `isthmus.market.order.>` is all of a pack."""
    return f"{prefix}.{front_end}.{kind}"


def event_of(headers: Mapping[str, str], body: bytes) -> api.OutsideEventDraft:
    """Read a message in the structured or the binary mode of CloudEvents. Raises NotACloudEvent."""
    lower = {name.lower(): value for name, value in headers.items()}
    is_binary = "ce-specversion" in lower
    parts = _parts(lower, is_binary=is_binary, body=body)
    if parts.get("specversion") != SPEC:
        raise NotACloudEvent(because=f"specversion is {parts.get('specversion')!r}, and not {SPEC!r}")
    fields = {name: parts[name] for name in ("id", "source", "type", "subject", "time") if parts.get(name) is not None}
    if "data_base64" in parts:
        raise NotACloudEvent(because="its data is binary, and only JSON is taken in")
    data = body.decode("utf-8", "replace") if is_binary else json.dumps(parts.get("data"), ensure_ascii=False)
    try:
        json.loads(data or "null")
        return decode(json.dumps({**fields, "data": data or "null"}).encode(), api.OutsideEventDraft)
    except (json.JSONDecodeError, RecursionError):
        raise NotACloudEvent(because="its data is no JSON") from None
    except errors.BadAsk as wrong:
        raise NotACloudEvent(because=str(wrong)) from wrong


def _parts(headers: Mapping[str, str], *, is_binary: bool, body: bytes) -> Mapping[str, Any]:
    if is_binary:
        return {name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NotACloudEvent(because="it is no JSON, and has no header ce-specversion") from None
    if not isinstance(found, dict):
        raise NotACloudEvent(because="it is JSON, and no object")
    return cast("dict[str, Any]", found)
