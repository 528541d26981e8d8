"""OpenAPI 3.1 of one front end: exactly the capabilities that it may call, as its release stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from isthmus.governance.schema import schemas as schemas_of
from isthmus.kernel import Effect, errors
from isthmus.kernel.host import BoundCapability, CompiledFrontEnd, Release
from isthmus.screens import parts_of

from ..wire import problem
from . import generators
from .examples import example
from .openapi_routes import question, routes

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
        "schema": {"type": "string", "const": "true"},
    },
    "ETag": {"description": "the tag of this answer, for `If-None-Match`", "schema": {"type": "string"}},
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
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the answer that is kept: where it is still the answer, there is no body.",
        "schema": {"type": "string"},
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
        "description": "Keep the trace of this call for `GET /v1/calls/{call_id}`.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context: the trace that this call is part of.",
        "schema": {"type": "string"},
    },
}


def document(release: Release, code: str, scopes: tuple[str, ...] | None = None, mounted: Collection[str] = ()) -> Json:
    """Return the OpenAPI document of a front end, or of its client with these scopes.

    mounted: the prefixes that the server hands on, such as `/data` and `/deploy`; what is there is in the document.
    """
    line = release.line(code)
    offered = [one for name, one in sorted(line.offered.items()) if name in line.permitted and _in(scopes, name)]
    types = tuple(kind for one in offered for kind in (one.capability.ask, one.capability.answer))
    schemas, components = schemas_of((*types, *question(scopes, mounted)), _REF, line.front_end.attributes)
    plain = cast(Json, msgspec.json.decode(msgspec.json.encode([schemas, components])))
    schemas, components = generators.plain_names(*cast("tuple[list[Json], Json]", plain))
    generators.polish([schemas, components])
    _close_dimensions(offered, line, schemas, components)
    generators.say_defaults(schemas[::2], components)
    paths: Json = {}
    for place, one in enumerate(offered):
        ask, answer = schemas[2 * place], schemas[2 * place + 1]
        paths[f"/v1/{one.capability.name}"] = {"post": _operation(one, ask, answer, components)}
    beside = routes(scopes, mounted, schemas[len(types) :])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{line.front_end.name}: platform API",
            "version": line.fingerprint,
            "description": f"{line.front_end.doc}\n\n{_WORDS}".strip(),
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [*_tags(release, offered), *(_BESIDE[name] for name in _BESIDE if _is_tagged(beside, name))],
        "paths": {**paths, **beside},
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


_BESIDE: Final[Json] = {
    "gateway": {"name": "gateway", "description": "The gateway itself."},
    "data": {"name": "data", "description": "The data platform: a key may ask whose scopes name `data.ask`."},
    "events": {"name": "events", "description": "Events: a key may read them whose scopes name `events.read`."},
    "deploy": {"name": "deploy", "description": "Versions of this front end: for keys with the scope `deploy.*`."},
}


def _is_tagged(paths: Json, tag: str) -> bool:
    return any(tag in operation["tags"] for methods in paths.values() for operation in methods.values())


def _close_dimensions(
    offered: Iterable[BoundCapability], line: CompiledFrontEnd, schemas: list[Json], components: Json
) -> None:
    """Say which values of a dimension this front end knows; the contract itself leaves that open.

    An ask's fields that are dimensions of the release are so for every capability with this ask.
    """
    for place, one in enumerate(offered):
        if one.dimensions:
            name = schemas[2 * place]["$ref"].rpartition("/")[2]
            known = {dimension: line.dimensions[dimension].values for dimension in one.dimensions}
            components[name] = generators.narrow(components[name], known)


def _operation(one: BoundCapability, ask: Json, answer: Json, components: Mapping[str, Json]) -> Json:
    capability = one.capability
    summary, _, rest = capability.doc.partition("\n")
    parameters = ["DeadlineMs", "Explain", "Traceparent"]
    headers = ["Isthmus-Call", "RateLimit", "RateLimit-Policy", "traceparent"]
    if capability.effect is not Effect.READ:
        parameters.insert(0, "IdempotencyKey")
        headers.append("Idempotency-Replayed")
    kept: Json = {}
    if parts_of(one.implementation):
        parameters.insert(0, "IfNoneMatch")
        headers.append("ETag")
        kept = {"304": {"description": "The answer is the one that is kept."}}
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
            **kept,
            **_refusals(
                (*_ALWAYS, *((errors.KeyReused,) * (capability.effect is not Effect.READ)), *capability.raises)
            ),
        },
    }


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
    return {
        "description": description,
        **({"x-isthmus-slugs": slugs} if slugs else {}),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("Isthmus-Call", "Retry-After")},
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }
