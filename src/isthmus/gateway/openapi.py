"""OpenAPI 3.1 of one front end: exactly the capabilities that it may call, as its release stands."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from isthmus.governance.schema import schemas as schemas_of
from isthmus.kernel import Effect, errors
from isthmus.kernel.host import BoundCapability, CompiledFrontEnd, Release

from . import problem
from .examples import example

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}

_WORDS: Final = """\
What this front end may call. Texts hold no character NUL; whole numbers have at most 64 bits and no point; times
have a zone."""

# What may go wrong with any call, whatever the capability declares.
_ALWAYS: Final[tuple[type[errors.IsthmusError], ...]] = (
    errors.BadAsk,
    errors.NotAuthenticated,
    errors.NotPermitted,
    problem.BodyTooSlow,
    problem.BodyTooLarge,
    problem.NotJson,
    problem.RateExceeded,
    errors.Fault,
    problem.Busy,
    errors.Unavailable,
    errors.DeadlineExceeded,
)

_HEADERS: Final[Json] = {
    "Isthmus-Call": {"description": "id of the call, as in the log", "schema": {"type": "string", "format": "uuid"}},
    "RateLimit": {"description": "what remains of the client's rate", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "the client's rate", "schema": {"type": "string"}},
    "traceparent": {"description": "the call's place in the trace", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "true where the key had been answered before: this is the first answer again",
        "schema": {"const": "true"},
    },
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}},
}

_PARAMETERS: Final[Json] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes the call have its effect once, however often it is sent; a UUID for each new ask.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "0b1fdf0e-5f7c-4c39-9f0e-0f4d2f5a8f55",
    },
    "DeadlineMs": {
        "name": "Isthmus-Deadline-Ms",
        "in": "header",
        "description": "Give up after so many milliseconds, with nothing changed; the capability's own limit stands.",
        "schema": {"type": "integer", "minimum": 100, "maximum": 600_000},
    },
    "Explain": {
        "name": "Isthmus-Explain",
        "in": "header",
        "description": "Keep the story of this call for `GET /v1/calls/{call_id}`.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context: the trace that this call is part of.",
        "schema": {"type": "string"},
    },
}


def document(release: Release, code: str, scopes: tuple[str, ...] | None = None) -> Json:
    """Return the OpenAPI document of a front end, or of its client with these scopes."""
    line = release.line(code)
    offered = [one for name, one in sorted(line.offered.items()) if name in line.permitted and _in(scopes, name)]
    types = tuple(kind for one in offered for kind in (one.capability.ask, one.capability.answer))
    schemas, components = schemas_of(types, _REF, line.front_end.attributes)
    plain = cast(Json, msgspec.json.decode(msgspec.json.encode([schemas, components])))
    schemas, components = cast("tuple[list[Json], Json]", plain)
    _polish([schemas, components])
    paths: Json = {}
    for place, one in enumerate(offered):
        ask, answer = schemas[2 * place], schemas[2 * place + 1]
        paths[f"/v1/{one.capability.name}"] = {"post": _operation(one, line, ask, answer, components)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{line.front_end.name}: platform API",
            "version": line.fingerprint,
            "description": f"{line.front_end.doc}\n\n{_WORDS}".strip(),
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [*_tags(release, offered), {"name": "gateway", "description": "The gateway itself."}],
        "paths": {**paths, **_own_paths()},
        "components": {
            "schemas": {**components, "Problem": problem.SCHEMA},
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": {"Problem": _problem_response("A problem", [])},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }


def _in(scopes: tuple[str, ...] | None, name: str) -> bool:
    return scopes is None or name in scopes or f"{name.partition('.')[0]}.*" in scopes


def _tags(release: Release, offered: Iterable[BoundCapability]) -> list[Json]:
    packs = sorted({one.capability.pack for one in offered})
    return [{"name": name, "description": release.packs[name].doc if name in release.packs else ""} for name in packs]


def _operation(
    one: BoundCapability, line: CompiledFrontEnd, ask: Json, answer: Json, components: Mapping[str, Json]
) -> Json:
    capability = one.capability
    summary, _, rest = capability.doc.partition("\n")
    ask = _narrowed(ask, one, line)
    parameters = ["DeadlineMs", "Explain", "Traceparent"]
    headers = ["Isthmus-Call", "RateLimit", "RateLimit-Policy", "traceparent"]
    if capability.effect is not Effect.READ:
        parameters.insert(0, "IdempotencyKey")
        headers.append("Idempotency-Replayed")
    return {
        "operationId": capability.name,
        "tags": [capability.pack],
        "summary": summary,
        "description": rest.strip(),
        "deprecated": capability.deprecated is not None,
        "x-isthmus-version": capability.version,
        "x-isthmus-effect": capability.effect.value,
        "x-isthmus-deadline-ms": capability.deadline_ms,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in parameters],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ask, "example": example(ask, components)}},
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
                "content": {"application/json": {"schema": answer}},
            },
            **_refusals(
                (*_ALWAYS, *((errors.KeyReused,) * (capability.effect is not Effect.READ)), *capability.raises)
            ),
        },
    }


def _narrowed(ask: Json, one: BoundCapability, line: CompiledFrontEnd) -> Json:
    """Say which values of a dimension this front end knows; the contract itself leaves that open."""
    known = {name: list(line.dimensions[name].values) for name in one.dimensions}
    if not known:
        return ask
    properties = {name: {"enum": [*values, None]} for name, values in known.items()}
    return {"allOf": [ask, {"type": "object", "properties": properties}]}


def _refusals(kinds: Iterable[type[errors.IsthmusError]]) -> Json:
    by_status: dict[int, list[type[errors.IsthmusError]]] = defaultdict(list)
    for kind in dict.fromkeys(kinds):
        by_status[problem.status_of(kind)].append(kind)
    return {
        str(status): _problem_response(
            "\n".join(f"- `{kind.slug}`: {problem.title_of(kind)}" for kind in by_status[status]),
            [kind.slug for kind in by_status[status]],
        )
        for status in sorted(by_status)
    }


def _problem_response(description: str, slugs: list[str]) -> Json:
    """Describe a problem; the slugs are those that are declared, and a front end's own may come on top."""
    schema = {"allOf": [_PROBLEM, {"properties": {"slug": {"examples": slugs}}}]} if slugs else _PROBLEM
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("Isthmus-Call", "Retry-After")},
        "content": {"application/problem+json": {"schema": schema}},
    }


def _own_paths() -> Json:
    def get(name: str, summary: str, schema: Json, *refused: int) -> Json:
        problems = {str(status): {"$ref": "#/components/responses/Problem"} for status in refused}
        answer = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
        return {"operationId": name, "tags": ["gateway"], "summary": summary, "responses": {"200": answer, **problems}}

    anything = {"type": "object"}
    call_id = {"name": "call_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    status = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    told = get("gateway.call", "Say why a call was answered as it was.", anything, 401, 404, 429, 503)
    return {
        "/v1/openapi.json": {"get": get("gateway.openapi", "Get this document.", anything, 401, 403, 429, 503)},
        "/v1/calls/{call_id}": {"get": {**told, "parameters": [call_id]}},
        "/health": {"get": {**get("gateway.health", "Say whether the process lives.", status), "security": []}},
        "/ready": {"get": {**get("gateway.ready", "Say whether calls can be answered.", status, 503), "security": []}},
    }


def _polish(schema: Any) -> None:
    """Take the indentation of source code out of descriptions, and say what the wire can carry."""
    if isinstance(schema, dict):
        found = cast(Json, schema)
        if isinstance(text := found.get("description"), str):
            found["description"] = inspect.cleandoc(text)
        if found.get("type") == "integer":
            found.setdefault("format", "int64")
        for inner in found.values():
            _polish(inner)
    elif isinstance(schema, list):
        for inner in cast("list[Any]", schema):
            _polish(inner)
