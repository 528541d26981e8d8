"""Answers of services that others run, read to a limit: the sender of an answer chooses its size, not our memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx

ANSWER_BYTES_MAX: Final = 8 << 20  # an assessment of the largest order has a thousandth of it


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Reads an answer up to its limit, and none that is compressed: unpacked, it could have any size."""

    def __init__(self, bytes_max: int = ANSWER_BYTES_MAX, **how: Any) -> None:
        super().__init__(**how)
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx.DecodingError for a compressed answer, httpx.ReadError beyond the limit."""
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx.DecodingError(f"{request.url.host} answers compressed, unasked", request=request)
        under = cast(httpx.AsyncByteStream, response.stream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(under, self._bytes_max, request),
            extensions=response.extensions,
        )


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, under: httpx.AsyncByteStream, bytes_max: int, request: httpx.Request) -> None:
        self._under = under
        self._bytes_max = bytes_max
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._under:
            size += len(part)
            if size > self._bytes_max:
                raise httpx.ReadError(
                    f"{self._request.url.host} answered more than {self._bytes_max} bytes", request=self._request
                )
            yield part

    async def aclose(self) -> None:
        await self._under.aclose()
