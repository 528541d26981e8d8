"""Services of others choose what they answer, and not how much of our memory it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest

from isthmus.manifest import Secret
from isthmus.manifest.outbound import BoundedTransport
from isthmus.packs.media.service.s3_store import S3Settings, S3Store
from isthmus.packs.payment.service.http_provider import HttpProvider
from isthmus.packs.tax import api as tax
from isthmus.packs.tax.service import http_service

PIECE = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
SENT_MAX = 64 << 20  # what the kernel keeps on both sides is in it


@dataclass
class Service:
    """A service that answers without an end, or small and compressed."""

    url: str
    sent: int = 0
    head: bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.head)
            while self.sent < 4 * SENT_MAX:
                writer.write(PIECE)
                self.sent += len(PIECE)
                await writer.drain()
        writer.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    one = Service("")
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield one
    server.close()


async def assess(url: str) -> object:
    line = tax.AssessmentLine(sku="tea", quantity=1, tax_category="standard", amount_minor=100)
    ask = tax.Assessment(jurisdiction="US-OH", currency="USD", prices_include_tax=False, lines=(line,))
    settings = http_service.HttpSettings(url=url, secret=Secret("a", "a"))
    return await http_service.HttpTaxService("tax", settings).assess(key="k", ask=ask)


async def pay(url: str) -> object:
    return await HttpProvider("acme", url, "key", ("card",)).void(key="k", authorisation="a")


async def fetch(url: str) -> object:
    secrets = (Secret("a", "a"), Secret("b", "b"))
    settings = S3Settings(url=url, bucket="files", region="r", access_key=secrets[0], secret_key=secrets[1])
    return await S3Store("s3", settings).get("a.png")


@pytest.mark.parametrize("ask", [pay, fetch, assess])
@pytest.mark.parametrize("head", [b"", b"Content-Encoding: gzip\r\n"])
async def test_an_answer_without_an_end_or_compressed_is_read_to_its_limit_only(
    service: Service, ask: Callable[[str], Awaitable[object]], head: bytes
) -> None:
    service.head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + head + b"\r\n"
    with pytest.raises(httpx.HTTPError, match="compressed" if head else "more than"):
        await ask(service.url)
    assert service.sent < SENT_MAX


async def test_an_answer_within_the_limit_is_what_was_sent(service: Service) -> None:
    service.head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
    async with httpx.AsyncClient(transport=BoundedTransport()) as client:
        assert (await client.get(service.url)).text == "abcde"
