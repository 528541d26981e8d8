"""Files over HTTP, for a pack that brings some: put by who may, served to everyone, and kept by caches for good.

    POST PATH          the bytes of a file, with a key → what was noted of it, as JSON
    GET, HEAD PATH/NAME   the file

A name is of the content, so a file never changes: it is `immutable`, and its name is its tag.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from isthmus.kernel import Platform, encode, errors
from isthmus.manifest import Files
from isthmus.manifest.files import FileResource

from .auth import Principal
from .wire.body import ClientGone, read_bytes
from .wire.problem import CONTENT_TYPE, MethodNotAllowed, NoSuchPath, problem

UPLOAD_LIMIT_S: Final = 60.0  # ten MiB over a slow line
CACHED: Final = b"public, max-age=31536000, immutable"
METHODS: Final = "GET, HEAD, POST"

Admit = Callable[[bytes | None], Awaitable[Principal]]
Headers = list[tuple[bytes, bytes]]
Reply = tuple[int, bytes, bytes, Headers]  # status, content type, body, further headers


class FileService:
    """The ASGI application below a pack's path of files. `admit` returns who a credential names, or refuses."""

    def __init__(self, platform: Platform, files: Files, admit: Admit) -> None:
        self._platform = platform
        self._files = files
        self._admit = admit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call_id = self._platform.new_call_id()
        try:
            status, kind, body, headers = await self._answered(scope, receive)
        except ClientGone:
            return
        except Exception as error:
            found = problem(error, call_id)
            status, kind, body = found.status, CONTENT_TYPE, found.body
            headers = [*found.headers, (b"cache-control", b"no-store")]
        sent = [(b"content-type", kind), (b"isthmus-call", call_id.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": [*sent, *headers]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answered(self, scope: Any, receive: Any) -> Reply:
        method, headers = scope["method"], dict(scope["headers"])
        name = scope["path"].removeprefix(self._files.path).strip("/")
        if method == "POST" and not name:
            return await self._put(headers, receive)
        if method not in ("GET", "HEAD"):
            raise MethodNotAllowed(method, scope["path"], METHODS)
        return await self._shown(name, headers, scope["path"])

    async def _put(self, headers: dict[bytes, bytes], receive: Any) -> Reply:
        """Take a file from who may note it: asked before its content is read any further."""
        client = await self._admit(headers.get(b"authorization"))
        caller = client.caller("http", {})
        files, store = self._files, self._store()
        content = await read_bytes(receive, headers, bytes_max=files.bytes_max, limit_s=UPLOAD_LIMIT_S)
        name, _ = store.named(content)
        await self._platform.call(files.check, files.check.ask(file=name, size=len(content)), caller)
        try:
            await store.put(name, content)
        except Exception as wrong:
            raise errors.Unavailable(
                f"the file cannot be kept: {type(wrong).__name__}", remedy="send it again in a minute"
            ) from wrong
        noted = await self._platform.call(files.note, files.note.ask(file=name, size=len(content)), caller)
        return 201, b"application/json", encode(noted), [(b"cache-control", b"no-store")]

    async def _shown(self, name: str, headers: dict[bytes, bytes], path: str) -> Reply:
        tag = f'"{name}"'.encode()
        cached = [(b"etag", tag), (b"cache-control", CACHED)]
        try:
            found = await self._store().read(name)
        except Exception as wrong:
            raise errors.Unavailable(
                f"the file cannot be read: {type(wrong).__name__}", remedy="ask again in a minute"
            ) from wrong
        if found is None:
            raise NoSuchPath(f"there is no file at {path}", remedy="put it first", path=path)
        content, kind = found
        if tag in (one.strip() for one in headers.get(b"if-none-match", b"").split(b",")):
            return 304, kind.encode(), b"", cached
        safe = [(b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"default-src 'none'; sandbox")]
        return 200, kind.encode(), content, [*cached, *safe]

    def _store(self) -> FileResource:
        return cast(FileResource, self._platform.resources[self._files.kind])
