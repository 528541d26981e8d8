"""Adopt a service that exists: its OpenAPI document becomes a pack, each operation a capability.

    [adopted.erp]                       # in isthmus.toml
    document = "adopted/erp.json"       # as `isthmus adopt` has kept it
    url = "https://erp.internal"
    secret = { secret = "erp" }         # its credential, or "ERP_TOKEN": the environment variable that has it
    leave_out = ["get-order"]           # what a pack of one's own does by now

A front end uses an adopted capability as any other, and never learns that it is one: so it can be replaced by one of
the platform's own, one at a time. What reads is retried; what writes is sent once for each call, with its id as the
idempotency key.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict, cast

import msgspec

from isthmus.kernel import Capability, Context, Effect, Pack, Value
from isthmus.kernel.host import Implementation
from isthmus.manifest import Secret

from .request import Body, CannotCarry, Operation
from .service import Auth, InTheWay, NotThere, Service, ServiceDown, ServiceRefused
from .types import NoDocument, Types, type_name

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
DEADLINE_MS: Final = 10_000
OPERATIONS_MAX: Final = 500  # more than that is not one service
BODY: Final = "body"
# Headers that no caller sets: they sign the call, frame its body or say whom it is for.
OURS: Final = frozenset(
    [
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
Document = Mapping[str, Any]


class _Said(TypedDict, total=False):
    """What is relied on of an operation; schemas are looked at where they are read."""

    operationId: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    requestBody: dict[str, Any]
    responses: dict[str, dict[str, Any]]


class _Path(TypedDict, total=False):
    parameters: list[dict[str, Any]]
    get: _Said
    head: _Said
    post: _Said
    put: _Said
    patch: _Said
    delete: _Said


class _Shape(TypedDict, total=False):
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    paths: dict[str, _Path]
    components: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What the settings say of an adopted service."""

    name: str
    document: Path
    url: str
    secret: str | Secret = ""
    leave_out: tuple[str, ...] = ()


def read_document(path: Path) -> Document:
    """Read an OpenAPI 3 document, JSON or YAML. Raises NoDocument with what is wrong."""
    if not path.is_file():
        raise NoDocument(f"{path} is not there", remedy="name the file with the service's OpenAPI document")
    text = path.read_bytes()
    try:
        found: Any = msgspec.json.decode(text) if text.lstrip()[:1] == b"{" else msgspec.yaml.decode(text)
    except (msgspec.DecodeError, ImportError) as error:
        raise NoDocument(f"{path} cannot be read: {error}", remedy="send JSON, or YAML with PyYAML installed") from None
    said = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if not str(said.get("openapi", "")).startswith("3.") or not said.get("paths"):
        raise NoDocument(f"{path} is no OpenAPI 3 document with paths", remedy="export one from the service")
    found = msgspec.json.decode(msgspec.json.encode(found))  # YAML has numbers as names of answers, and dates
    try:
        msgspec.convert(found, _Shape)
    except msgspec.ValidationError as wrong:
        raise NoDocument(f"{path} is no OpenAPI document: {wrong}", remedy="fix it there, then try again") from None
    return cast(Document, found)


def adoption_of(path: Path, *, name: str = "", url: str = "", secret: str = "") -> Adoption:
    """Return the settings of a service: what is not said is the document's title and its first server's address.

    Raises NoDocument where the document does not say it either.
    """
    document = read_document(path)
    title = re.sub(r"[^a-z0-9]+", "-", str(document.get("info", {}).get("title", "")).lower()).strip("-")
    servers = [str(one.get("url", "")) for one in document.get("servers", ())]
    if not (name or _NAME.fullmatch(title)):
        raise NoDocument(f"the title {title!r} makes no name for a pack", remedy="give one with --name")
    if not (url or (servers and re.match(r"https?://[^{]*$", servers[0]))):
        raise NoDocument(
            f"{path} names no address to call (servers: {', '.join(servers) or 'none'})", remedy="give it with --url"
        )
    return Adoption(name=name or title, document=path, url=url or servers[0], secret=secret)


def left_out(document: Document) -> list[str]:
    """Return what of a service cannot be adopted, and why, in words."""
    found: list[str] = []
    for path, method, said in _operations(document):
        if (kind := _strange(said)) is not None:
            found.append(f"{method.upper()} {path} takes {kind}")
    return found


def adopted_pack(adoption: Adoption) -> Pack:
    """Return the pack of an adopted service. Raises NoDocument where two operations would have one name."""
    if not _NAME.fullmatch(adoption.name):
        raise NoDocument(f"{adoption.name!r} is no name for a pack", remedy="use lower-case letters, digits and '-'")
    document = read_document(adoption.document)
    service = Service(name=adoption.name, url=adoption.url, auth=auth_of(document, adoption.secret))
    api = types.ModuleType(f"adopted.{adoption.name}")
    info = cast("Mapping[str, Any]", document.get("info", {}))
    api.__doc__ = f"{info.get('title', adoption.name)}, an existing service: {info.get('description', '')}".strip(": ")
    implementations: list[Implementation] = []
    for name, operation, capability in _capabilities(document, adoption):
        if hasattr(api, name):
            raise NoDocument(
                f"two operations would be called {capability.name!r}", remedy="give them operationIds that differ"
            )
        setattr(api, name, capability)
        implementations.append(_implementation(capability, operation, service))
    return Pack(
        name=adoption.name,
        owner=f"{adoption.name} service",
        api=api,
        service=(),
        implementations=tuple(implementations),
    )


def auth_of(document: Document, secret: str | Secret) -> Auth:
    """Return how the service wants its calls signed; none where no secret is named."""
    schemes = cast("Mapping[str, Any]", document.get("components", {}).get("securitySchemes", {}))
    if not secret:
        return Auth(kind="none")
    for scheme in schemes.values():
        if scheme.get("type") == "apiKey" and scheme.get("in") in ("header", "query"):
            return Auth(kind=scheme["in"], name=scheme["name"], secret=secret)
        if scheme.get("type") == "http" and scheme.get("scheme", "").lower() == "basic":
            return Auth(kind="basic", secret=secret)
    return Auth(kind="bearer", secret=secret)


def _capabilities(document: Document, adoption: Adoption) -> Iterator[tuple[str, Operation, Capability[Any, Any]]]:
    kinds = Types(document, is_strict=True), Types(document, is_strict=False)
    for count, (path, method, said) in enumerate(_operations(document)):
        if count == OPERATIONS_MAX:
            raise NoDocument(f"more than {OPERATIONS_MAX} operations", remedy="adopt a part of the document")
        name = capability_name(said.get("operationId", ""), method, path)
        if name in adoption.leave_out or _strange(said) is not None:
            continue
        parameters = [*document["paths"][path].get("parameters", ()), *said.get("parameters", ())]
        try:
            yield _declared(said, method, path, parameters, kinds, adoption.name)
        except (AttributeError, LookupError, TypeError, ValueError) as wrong:  # what a schema may have for a schema
            raise NoDocument(
                f"{method.upper()} {path} cannot be read: {wrong!r}", remedy="fix its schemas, or leave it out"
            ) from None


def _operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, found in cast("Mapping[str, Any]", document["paths"]).items():
        for method in METHODS:
            if method in found:
                yield path, method, found[method]


def _strange(said: Mapping[str, Any]) -> str | None:
    """Return what an operation takes, where that can be sent neither as JSON nor as a form."""
    content = said.get("requestBody", {}).get("content", {})
    return ", ".join(content) if content and not any(map(_body_kind, content)) else None


def _body_kind(kind: str) -> Body:
    kind = kind.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json") or kind == "*/*":
        return "json"
    return "form" if kind == "application/x-www-form-urlencoded" else ""


def _declared(
    said: Mapping[str, Any], method: str, path: str, parameters: list[Any], kinds: tuple[Types, Types], pack: str
) -> tuple[str, Operation, Capability[Any, Any]]:
    asked, answered = kinds
    name = capability_name(said.get("operationId", ""), method, path)
    fields: dict[str, tuple[Any, bool]] = {}
    places: dict[str, str] = {}
    joined: set[str] = set()
    for one in map(asked.resolved, parameters):
        if one["in"] in ("path", "query") or (one["in"] == "header" and one["name"].lower() not in OURS):
            places[one["name"]] = one["in"]
            if not one.get("explode", one.get("style", "form") == "form"):
                joined.add(one["name"])
            is_needed = bool(one.get("required")) or one["in"] == "path"
            fields[one["name"]] = (asked.of(one.get("schema", {}), type_name(f"{name} {one['name']}")), is_needed)
    body = asked.resolved(said.get("requestBody", {}))
    sent, schema = _content(body.get("content", {}))
    if sent:
        fields |= _body_fields(asked, schema, type_name(name), fields, is_needed=bool(body.get("required")))
    answer, is_wrapped = _answer(answered, said, type_name(name))
    summary = str(said.get("summary") or said.get("description") or f"{method.upper()} {path}").strip()
    ask = asked.struct(type_name(name), fields, f"What {method.upper()} {path} takes.")
    capability: Capability[Any, Any] = Capability(
        name=f"{pack}.{name}",
        version="1.0",
        effect=Effect.READ if method in ("get", "head") else Effect.SAGA,
        ask=ask,
        answer=answer,
        raises=(ServiceRefused, NotThere, InTheWay, ServiceDown, CannotCarry),
        uses=(),
        deadline_ms=DEADLINE_MS,
        is_internal=False,
        doc=f"{summary.rstrip('.')}.\n\nAdopted: {method.upper()} {path} of the existing service.",
        source=f"{method.upper()} {path}",
    )
    operation = Operation(
        method=method.upper(),
        path=path,
        places=places,
        joined=frozenset(joined),
        body=sent,
        is_wrapped=is_wrapped,
    )
    return name.replace("-", "_"), operation, capability


def _body_fields(
    types_: Types, schema: Mapping[str, Any], name: str, taken: Collection[str], *, is_needed: bool
) -> dict[str, tuple[Any, bool]]:
    """Return the body's own fields, where it is an object and none of them has a parameter's name; else one field."""
    found = types_.resolved(schema)
    properties = cast("Mapping[str, Any]", found.get("properties", {}))
    if properties and "allOf" not in found and not taken & properties.keys() and BODY not in properties:
        needed = set(cast("list[str]", found.get("required", []))) if is_needed else set[str]()
        return {wire: (types_.of(one, f"{name}{type_name(wire)}"), wire in needed) for wire, one in properties.items()}
    return {BODY: (types_.of(schema, f"{name}Body"), is_needed)}


def _answer(types_: Types, said: Mapping[str, Any], name: str) -> tuple[type[Value], bool]:
    """Return the type of the answer, and whether it is `value` with what is no object."""
    responses = cast("Mapping[str, Any]", said.get("responses", {}))
    good = next((responses[code] for code in sorted(responses) if code.startswith("2")), responses.get("default", {}))
    kind, schema = _content(types_.resolved(good).get("content", {}))
    if kind != "json":
        return types_.struct(f"{name}Done", {}, "The service has done it."), False
    found: Any = types_.of(schema, f"{name}Answer")
    if isinstance(found, type) and issubclass(found, Value):
        return found, False
    fields: dict[str, tuple[Any, bool]] = {"value": (found, True)}
    return types_.struct(f"{name}Answer", fields, "What the service answers."), True


def _content(content: Mapping[str, Any]) -> tuple[Body, Mapping[str, Any]]:
    """Return how a body is written, JSON rather than a form, and its schema."""
    found = {_body_kind(kind): said.get("schema", {}) for kind, said in content.items()}
    kind: Body = "json" if "json" in found else "form" if "form" in found else ""
    return kind, found.get(kind, {})


def capability_name(operation_id: str, method: str, path: str) -> str:
    """Return an operation's name as a capability's: `getOrderById` → `get-order-by-id`, else `get-orders-id`."""
    text = operation_id or f"{method} {path}"
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", text)
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found if found[:1].isalpha() else f"do-{found}"


def _implementation(capability: Capability[Any, Any], operation: Operation, service: Service) -> Implementation:
    ask_names = _wire_names(capability.ask)

    async def adopted(ask: Any, ctx: Context) -> Any:
        sent: dict[str, Any] = {
            wire: value for python, wire in ask_names.items() if (value := getattr(ask, python)) is not msgspec.UNSET
        }
        plain = cast("dict[str, Any]", msgspec.to_builtins(sent))
        body = await service.call(operation, plain, str(ctx.call_id), capability.deadline_ms / 1000, ctx.front_end)
        return _read(body, capability, is_wrapped=operation.is_wrapped, service=service.name)

    return Implementation(capability=capability, function=cast("Callable[..., Any]", adopted), source=capability.source)


def _wire_names(kind: type) -> dict[str, str]:
    return {one.name: one.encode_name for one in msgspec.structs.fields(cast(Any, kind))}


def _read(body: bytes, capability: Capability[Any, Any], *, is_wrapped: bool, service: str) -> Any:
    try:
        found: Any = msgspec.json.decode(body) if body.strip() else {}
        return msgspec.convert({"value": found} if is_wrapped else found, capability.answer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServiceDown(
            f"{service} answered {capability.name!r} otherwise than its document says: {error}",
            remedy="adopt the document that the service has now",
        ) from None
