"""What the API document says of the routes that are no capability: the gateway's own, the data platform's, deploys."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

Json = dict[str, Any]

_ANYTHING: Final[Json] = {"type": "object", "additionalProperties": True}
_STATUS: Final[Json] = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
_ANSWER: Final[Json] = {
    "title": "DataAnswer",
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": {"type": "array", "items": {}}},
        "receipt": _ANYTHING,
    },
    "required": ["columns", "rows", "receipt"],
}
_EVENTS: Final[Json] = {
    "title": "Events",
    "type": "object",
    "properties": {
        "events": {"type": "array", "items": _ANYTHING, "description": "CloudEvents 1.0, the oldest first"},
        "cursor": {"type": "string", "description": "what to send as `after` next"},
        "has_more": {"type": "boolean", "description": "whether to ask again at once"},
    },
    "required": ["events", "cursor", "has_more"],
}
_COMMIT: Final[Json] = {
    "title": "CommitEvents",
    "type": "object",
    "properties": {
        "cursor": {"type": "string", "pattern": "^[0-9]{1,18}$"},
        "reader": {"type": "string", "maxLength": 64},
    },
    "required": ["cursor"],
}


def question(scopes: Collection[str] | None, mounted: Collection[str]) -> tuple[type, ...]:
    """Return the type of a question to the data platform, where there is one that these scopes may ask."""
    if "/data" not in mounted or not (scopes is None or {"data.ask", "data.*"} & set(scopes)):
        return ()
    from isthmus.data.model.ask import Ask

    return (Ask,)


def routes(scopes: Collection[str] | None, mounted: Collection[str], questions: Iterable[Json]) -> Json:
    """Return the paths beside the capabilities, as far as they are there and these scopes may be let in.

    mounted: the prefixes that the server hands on, such as `/data`. No scopes: what any key of the front end may ask.
    questions: the schema of a question to the data platform, or none.
    """
    found = _own()
    for asked in questions:
        found |= _data(asked)
    if "/v1/events" in mounted and (scopes is None or {"events.read", "events.*"} & set(scopes)):
        found |= _events()
    if "/deploy" in mounted and (scopes is None or "deploy.*" in scopes):
        found |= _deploys()
    return found


def _own() -> Json:
    call_id = _parameter("call_id", "path", {"type": "string", "minLength": 1})
    trace_operation = _operation(
        "gateway.call", "Say why a call was answered as it was, or what it failed with.", 401, 404, 429, 503
    )
    openapi = _operation("gateway.openapi", "Get this document.", 401, 403, 429, 503)
    asyncapi = _operation("gateway.asyncapi", "Get the document of the events (AsyncAPI 3).", 401, 403, 429, 503)
    health = _operation("gateway.health", "Say whether the process lives.", answer=_STATUS)
    ready = _operation("gateway.ready", "Say whether calls can be answered.", 503, answer=_STATUS)
    return {
        "/v1/openapi.json": {"get": openapi},
        "/v1/asyncapi.json": {"get": asyncapi},
        "/v1/calls/{call_id}": {"get": {**trace_operation, "parameters": [call_id]}},
        "/health": {"get": {**health, "security": []}},
        "/ready": {"get": {**ready, "security": []}},
    }


def _data(asked: Json) -> Json:
    """Metrics: a key may ask whose scopes name `data.ask`."""
    refused = (400, 401, 403, 404, 413, 415, 422, 429, 503)
    ask = _operation("data.ask", "Ask for metrics; needs a key with the scope `data.ask`.", *refused, answer=_ANSWER)
    metrics = _operation("data.metrics", "List the metrics in which all words occur.", *refused)
    metric = _operation("data.metric", "Say what a metric is made of, and what it may be grouped by.", *refused)
    receipt = _operation("data.receipt", "Say what an answer was computed from.", *refused)
    words = _parameter("words", "query", {"type": "string"})
    body = {"required": True, "content": {"application/json": {"schema": asked}}}
    return {
        "/data/ask": {"post": {**ask, "requestBody": body}},
        "/data/metrics": {"get": {**metrics, "parameters": [words]}},
        "/data/metrics/{name}": {"get": {**metric, "parameters": [_parameter("name", "path", {"type": "string"})]}},
        "/data/receipts/{id}": {"get": {**receipt, "parameters": [_parameter("id", "path", {"type": "string"})]}},
    }


def _events() -> Json:
    """Events: a key may read them whose scopes name `events.read`."""
    refused = (400, 401, 403, 409, 429, 503)
    text: Json = {"type": "string"}
    group = _parameter("name", "path", {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"})
    asked = [
        _parameter("after", "query", {**text, "description": "a cursor, or `now`; without it, the oldest kept"}),
        _parameter("types", "query", {**text, "description": "names with commas between them; `PACK.*` is a pack's"}),
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
        _parameter("wait", "query", {"type": "integer", "minimum": 0, "maximum": 30, "default": 0}),
        _parameter("group", "query", {**text, "description": "a group of readers, whose cursor is kept here"}),
        _parameter("reader", "query", {**text, "description": "who of the group reads"}),
    ]
    read = _operation("events.read", "Read events after a cursor.", *refused, answer=_EVENTS)
    read["responses"]["200"]["content"]["text/event-stream"] = {"schema": text}
    listed = _operation("events.groups", "List your groups, and how far each is.", *refused)
    commit = _operation("events.commit", "Say how far a group is.", *refused, 404, 415)
    forget = _operation("events.forget", "Delete a group with its cursor.", *refused, 404)
    for one in (commit, forget):
        one["responses"] = {
            "204": {"description": "It is done."},
            **{k: v for k, v in one["responses"].items() if k != "200"},
        }
    body = {"required": True, "content": {"application/json": {"schema": _COMMIT}}}
    return {
        "/v1/events": {"get": {**read, "parameters": asked}},
        "/v1/events/groups": {"get": listed},
        "/v1/events/groups/{name}": {
            "put": {**commit, "parameters": [group], "requestBody": body},
            "delete": {**forget, "parameters": [group]},
        },
    }


def _deploys() -> Json:
    """Deploys: a key may whose scopes name `deploy.*`, of its own front end."""
    refused = (400, 401, 403, 404, 408, 409, 413, 422, 429, 503, 504)
    percent = _parameter("percent", "query", {"type": "integer", "minimum": 1, "maximum": 100})
    shadow = _parameter("shadow", "query", {"type": "integer", "minimum": 0, "maximum": 100})
    accept = _parameter("accept", "query", {"type": "boolean"})
    version = _parameter("version", "query", {"type": "string"})
    reason = _parameter("reason", "query", {"type": "string", "maxLength": 200})
    share = {**shadow, "name": "percent"}
    stop = _parameter("stop", "query", {"type": "boolean"})
    packed: Json = {"schema": {"type": "string", "format": "binary"}}
    deploy = _operation("deploy.deploy", "Deploy a packed folder; needs a key with the scope `deploy.*`.", *refused)
    return {
        "/deploy": {
            "post": {
                **deploy,
                "parameters": [percent, shadow, accept],
                "requestBody": {"required": True, "content": {"application/octet-stream": packed}},
            }
        },
        "/deploy/promote": {"post": _operation("deploy.promote", "Give what is staged to everybody.", *refused)},
        "/deploy/rollback": {
            "post": {
                **_operation("deploy.rollback", "Put the version before in place, or the one that is named.", *refused),
                "parameters": [version, reason],
            }
        },
        "/deploy/shadow": {
            "post": {
                **_operation("deploy.shadow", "Try a version on a share of live calls, answering nobody.", *refused),
                "parameters": [version, share, stop],
            }
        },
        "/deploy/versions": {"get": _operation("deploy.versions", "List what there is, and what runs.", *refused)},
    }


def _operation(name: str, summary: str, *refused: int, answer: Json = _ANYTHING) -> Json:
    problems = {str(status): {"$ref": "#/components/responses/Problem"} for status in refused}
    content = {"description": "The answer.", "content": {"application/json": {"schema": answer}}}
    tag = name.partition(".")[0]
    return {"operationId": name, "tags": [tag], "summary": summary, "responses": {"200": content, **problems}}


def _parameter(name: str, place: str, schema: Json) -> Json:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
