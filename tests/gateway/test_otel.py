"""OpenTelemetry: a span a call, in the caller's trace, with a child for each part; nothing where it is off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from isthmus.gateway import auth
from isthmus.gateway.http import Gateway
from isthmus.gateway.telemetry.otel import Tracing
from isthmus.kernel.host import Trace
from isthmus.store import Database

from .conftest import Connect

MakeGateway = Callable[..., Gateway]
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED, NOT_SAMPLED = (f"00-{TRACE}-b7ad6b7169203331-{flags}" for flags in ("01", "00"))


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def client(
    make_gateway: MakeGateway, shop: Database, connect: Connect, spans: InMemorySpanExporter
) -> AsyncIterator[httpx.AsyncClient]:
    tracing = Tracing(SimpleSpanProcessor(spans), share=0)
    yield connect(make_gateway(shop, tracing=tracing), await auth.create_client(shop, "south", "till"))
    tracing.close()


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = (one for one in spans.get_finished_spans() if one.kind is SpanKind.SERVER)
    return span


def statements(spans: InMemorySpanExporter) -> list[str]:
    found = [one for one in spans.get_finished_spans() if one.kind is SpanKind.CLIENT]
    assert all(one.parent == only(spans).context for one in found)
    return [str((one.attributes or {})["db.query.text"]) for one in found]


async def test_a_sampled_call_is_a_span_in_its_callers_trace(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    answer = await client.post("/v1/shop.show-item", json={"sku": "tea"}, headers={"traceparent": SAMPLED})
    span = only(spans)
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert answer.headers["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    attributes = {**(span.attributes or {}), "isthmus.version": ""}
    assert attributes == {
        "isthmus.capability": "shop.show-item",
        "isthmus.call": answer.headers["isthmus-call"],
        "isthmus.front_end": "south",
        "isthmus.client": "till",
        "isthmus.box": "south",
        "isthmus.version": "",
        "isthmus.events": (),
    }
    assert [one.name for one in span.events] == ["shop.set-price"]


async def test_statements_of_a_sampled_call_are_spans_below_it_without_values(
    client: httpx.AsyncClient, spans: InMemorySpanExporter, shop: Database
) -> None:
    headers = {"traceparent": SAMPLED, "idempotency-key": "a-key-of-somebody"}
    await client.post("/v1/shop.take-items", json={"lines": [{"sku": "tea", "quantity": 1}]}, headers=headers)
    texts = statements(spans)
    assert any("stock" in one or "item" in one for one in texts), texts
    assert "commit" in " ".join(texts)
    assert "a-key-of-somebody" not in str(texts)
    await client.post("/v1/shop.show-item", json={"sku": "tea"}, headers={"traceparent": NOT_SAMPLED})
    assert statements(spans) == texts  # the connection tells nobody any more


async def test_parts_of_a_call_are_spans_below_it(spans: InMemorySpanExporter) -> None:
    tracing = Tracing(SimpleSpanProcessor(spans), share=1)
    async with tracing.call("shop.sell", "call", "south", "till", "") as call:
        call_trace = Trace("call", "shop.sell", "1.0", "south", "south", "print", None, "now")
        part: Any = SimpleNamespace(
            capability="shop.take-items", took_us=1_500, began_us=10_000_000, error="shop.short: too few"
        )
        call_trace.parts = [part]
        call.describe(call_trace)
    inner, whole = spans.get_finished_spans()
    assert inner.parent == whole.context
    assert (inner.name, inner.start_time, inner.end_time) == ("shop.take-items", 10_000_000_000, 10_001_500_000)
    assert (inner.status.is_ok, inner.status.description) == (False, "shop.short")


async def test_a_fault_is_an_error_and_a_refusal_is_an_answer(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    for name, ask in (("shop.crash", {}), ("shop.show-item", {"sku": "none"})):
        await client.post(f"/v1/{name}", json=ask, headers={"traceparent": SAMPLED})
    found = [
        (one.status.is_ok, (one.attributes or {})["isthmus.error"])
        for one in spans.get_finished_spans()
        if one.kind is SpanKind.SERVER
    ]
    assert found == [(False, "fault"), (True, "shop.no-such-item")]


async def test_what_is_not_sampled_is_no_span_and_goes_on_in_its_trace(
    client: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    answer = await client.post("/v1/shop.show-item", json={"sku": "tea"}, headers={"traceparent": NOT_SAMPLED})
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert answer.headers["traceparent"].endswith("-00")
    assert spans.get_finished_spans() == ()


async def test_spans_reach_a_collector(make_gateway: MakeGateway, shop: Database, connect: Connect) -> None:
    sent: list[bytes] = []

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    collector = await asyncio.start_server(collect, "127.0.0.1", 0)
    tracing = Tracing.to_collector(f"http://127.0.0.1:{collector.sockets[0].getsockname()[1]}", 1)
    client = connect(make_gateway(shop, tracing=tracing), await auth.create_client(shop, "south", "till"))
    assert (await client.post("/v1/shop.show-item", json={"sku": "tea"})).status_code == 200
    await asyncio.to_thread(tracing.close)
    collector.close()
    assert sent[0].startswith(b"POST /v1/traces HTTP/1.1\r\n")
    assert b"application/x-protobuf" in sent[0]
