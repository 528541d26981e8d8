"""AsyncAPI 3.0 of one front end: every event that can happen at it, as the feed and webhooks bring it."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from isthmus.governance.schema import schemas as schemas_of
from isthmus.kernel.host import Release, event_kind
from isthmus.runtime.events.contracts import EventContracts

from . import generators

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_WORDS: Final = """\
Events as CloudEvents 1.0, each at least once: its `id` says whether it came before. They are read at `/v1/events`,
after a cursor or as server-sent events, or sent as webhooks, signed as Standard Webhooks says. Personal data is masked
for who may not see it. Events of other front ends that were granted look the same, with another `frontend`."""
_ENVELOPE: Final[Json] = {
    "specversion": {"type": "string", "const": "1.0"},
    "id": {"type": "string", "minLength": 1, "description": "the same whenever the event comes"},
    "source": {"type": "string", "format": "uri-reference"},
    "subject": {"type": "string", "description": "what it is about: events of one subject have an order"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"type": "string", "const": "application/json"},
    "dataschema": {"type": "string", "format": "uri-reference"},
    "frontend": {"type": "string", "description": "where it happened"},
    "box": {"type": "string"},
    "trace": {"type": "string", "description": "W3C Trace Context of the call"},
    "position": {"type": "string", "description": "the cursor behind it"},
}


def document(release: Release, code: str) -> Json:
    """Return the AsyncAPI document of a front end. Raises NotPermitted where there is none of this code."""
    line = release.line(code)
    events = sorted(EventContracts(lambda: release).of(code).items())
    found, components = schemas_of(tuple(kind for _, kind in events), _REF, line.front_end.attributes)
    plain = cast(Json, msgspec.json.decode(msgspec.json.encode([found, components])))
    found, components = generators.plain_names(*cast("tuple[list[Json], Json]", plain))
    generators.polish([found, components])
    names = [name for name, _ in events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{line.front_end.name}: events",
            "version": line.fingerprint,
            "description": f"{line.front_end.doc}\n\n{_WORDS}".strip(),
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in names},
        "operations": {f"send.{name}": _operation(name) for name in names},
        "components": {
            "messages": {name: _message(name, kind, data) for (name, kind), data in zip(events, found, strict=True)},
            "schemas": components,
        },
    }


def _channel(name: str) -> Json:
    return {
        "address": f"/v1/events?types={name}",
        "messages": {"event": {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"http": {}},
    }


def _operation(name: str) -> Json:
    """The platform sends; who reads the document receives."""
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/event"}],
    }


def _message(name: str, kind: type[Any], data: Json) -> Json:
    summary = (kind.__doc__ or name).strip().splitlines()[0]
    leaving = event_kind(kind).deprecated
    until = {"sunset": {"type": "string", "format": "date", "const": leaving.sunset.isoformat()}} if leaving else {}
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "properties": {
                **_ENVELOPE,
                **until,
                "type": {"type": "string", "const": name},
                "data": data,
            },
            "required": ["specversion", "id", "source", "type", "subject", "time", "frontend", "position", "data"],
        },
        "x-isthmus-version": event_kind(kind).version,
        **({"x-sunset": leaving.sunset.isoformat()} if leaving else {}),
        **({"x-instead": leaving.instead} if leaving and leaving.instead else {}),
    }
