"""MCP: the capabilities of a front end as tools for agents, under the same API keys, permissions and limits.

A tool is called as its capability is, with `_` for the dot: `pricing_quote`. What a capability refuses is an answer
that an agent can read and act on: the problem document, marked as an error. Each request is served by itself, so an
agent's session needs nothing of this process and goes on with another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import mcp_types as types
import msgspec
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request

from isthmus.governance.schema import schemas
from isthmus.kernel import Effect, Platform, Value, errors
from isthmus.kernel.host import BoundCapability, CompiledFrontEnd

from .auth import Principal
from .screens import calls_of
from .wire.body import ClientGone, Receive, read_body
from .wire.problem import CONTENT_TYPE, problem

BODY_BYTES_MAX = 1 << 20  # as of a call over HTTP
BODY_LIMIT_S = 10.0  # for an ask to arrive
KEY = "idempotency_key"
INSTRUCTIONS = """Tools are the capabilities that this front end may use. Amounts are in minor units of their currency.
Send an idempotency_key of your own with a tool that writes, and the same one again when you are not sure that it
arrived: it takes effect once. An error says in `remedy` what to do next and in `path` where the ask is wrong."""

_CLIENT = "isthmus.client"
_SCHEMA_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "Makes the call exactly-once in effect; choose a new one for each thing that is to be done.",
}

Admit = Callable[..., Awaitable[Principal]]  # an Authorization header, and the name of what is called
Scope = Any
Attributes = Mapping[str, type[Value]]  # what a front end declares, by entity


class Agents:
    """The ASGI application of the endpoint. `admit` returns who a credential names, or refuses."""

    def __init__(self, platform: Platform, admit: Admit) -> None:
        self._platform = platform
        self._admit = admit
        self._schemas: dict[tuple[int, str], types.Tool] = {}
        self._server: Server[Any] = Server(
            "isthmus", instructions=INSTRUCTIONS, on_list_tools=self._list, on_call_tool=self._call
        )

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        body = b""
        try:
            known = await self._admit(headers.get(b"authorization"))
            if (
                scope["method"] == "POST"
            ):  # read here: the library would decode it before anybody has looked how deep it is
                body = await read_body(receive, headers, bytes_max=BODY_BYTES_MAX, limit_s=BODY_LIMIT_S)
        except ClientGone:
            return
        except errors.IsthmusError as refused:
            found = problem(refused, self._platform.new_call_id())
            headers = [(b"content-type", CONTENT_TYPE), *found.headers]
            await send({"type": "http.response.start", "status": found.status, "headers": headers})
            await send({"type": "http.response.body", "body": found.body})
            return
        transport = StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True, max_request_body_size=BODY_BYTES_MAX
        )
        async with transport.run():
            await transport.handle_request({**scope, _CLIENT: known}, cast(Any, _read_before(body, receive)), send)

    async def _list(self, ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        known = _known(ctx)
        line = self._platform.release.line(known.front_end)
        offered = [line.offered[name] for name in sorted(line.permitted) if known.may(name)]
        return types.ListToolsResult(tools=[self._tool(one, line) for one in offered])

    def _tool(self, offered: BoundCapability, line: CompiledFrontEnd) -> types.Tool:
        """Return a tool; its schemas are made once, and for a line with attributes of its own once more."""
        own = line.front_end.attributes
        shape = (id(offered.capability), line.fingerprint if own else "")
        made = self._schemas.get(shape)
        if made is None:
            made = self._schemas[shape] = _tool(offered, own)
        return made

    async def _call(self, ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        known = _known(ctx)
        ask: dict[str, Any] = dict(params.arguments or {})
        key = ask.pop(KEY, None)
        call_id = self._platform.new_call_id()
        caller = known.caller("mcp", {})
        name = params.name.replace("_", ".", 1)
        try:
            if calls_of(self._platform.release, known.front_end, name):  # a request is one call: the parts come on top
                await self._admit(cast(Request, ctx.request).headers["authorization"].encode(), name)
            answer, _ = await self._platform.call_wire(
                name, msgspec.json.encode(ask), caller, key=_text(key), call_id=call_id
            )
        except Exception as error:
            said = problem(error, call_id).body.decode()
            return types.CallToolResult(content=[types.TextContent(type="text", text=said)], is_error=True)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.decode())],
            structured_content=msgspec.json.decode(answer),
        )


def _read_before(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what comes after it."""
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Mapping[str, Any]:
        return given.pop() if given else await receive()

    return again


def _tool(offered: BoundCapability, own: Attributes) -> types.Tool:
    capability = offered.capability
    is_write = capability.effect is not Effect.READ
    summary, _, rest = capability.doc.partition("\n")
    return types.Tool(
        name=capability.name.replace(".", "_", 1),
        title=summary,
        description=f"{summary}\n{rest}".strip(),
        input_schema=_schema(capability.ask, {KEY: _SCHEMA_KEY} if is_write else {}, own),
        output_schema=_schema(capability.answer, {}, own),
        annotations=types.ToolAnnotations(read_only_hint=not is_write, idempotent_hint=not is_write),
    )


def _schema(kind: type, more: Mapping[str, Any], own: Attributes) -> dict[str, Any]:
    """Return the JSON Schema of a contract with all that it refers to, as an object of its own."""
    (schema,), components = schemas((kind,), "#/$defs/{name}", own)
    plain = cast("list[dict[str, Any]]", msgspec.json.decode(msgspec.json.encode([schema, components])))
    root, definitions = plain
    found = definitions[root["$ref"].rpartition("/")[2]] if "$ref" in root else root
    properties = {**found.get("properties", {}), **more}
    return {**found, "type": "object", "properties": properties, "$defs": definitions}


def _known(ctx: Any) -> Principal:
    request = cast(Request, ctx.request)
    return cast(Principal, request.scope[_CLIENT])


def _text(key: object) -> str | None:
    if key is None or isinstance(key, str):
        return key
    raise errors.BadAsk(f"{KEY} is {key!r}", remedy="send a text, such as a UUID", path=f"$.{KEY}")
