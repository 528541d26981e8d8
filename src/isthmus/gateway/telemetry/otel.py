"""OpenTelemetry traces (extra `isthmus[otel]`): a span for each sampled call, one for each part and statement of it.

    traceparent ──▶ span of the call (capability, box, call id, client) ──▶ spans of parts ──▶ OTLP over HTTP
         └──── traceparent of the answer, of events, and of the webhooks that carry them ◀──┘

A trace that came sampled goes on; others are sampled by their share. A sampled call is traced, as with Isthmus-Explain,
which is where its parts come from. Spans hold no ask, no answer and no value of a statement, so nothing of persons.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import baggage, context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from isthmus.kernel import errors
from isthmus.kernel.host import Trace
from isthmus.store import Statement, watched

SHARE: Final = 0.01  # of calls that nobody else samples
_PROPAGATOR: Final = TraceContextTextMapPropagator()


@dataclass(slots=True)
class CallSpan:
    """The span of one call: where it is in its trace, and what its trace says where it is sampled."""

    span: Span
    call_trace: Trace | None = None
    statements: Sequence[Statement] = ()

    @property
    def traceparent(self) -> str:
        """Return the call's place in its trace, as events and answers carry it."""
        found = self.span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    @property
    def is_sampled(self) -> bool:
        return self.span.is_recording()

    def describe(self, call_trace: Trace) -> None:
        self.call_trace = call_trace


class Tracing:
    """Makes spans of calls, and sends them to a collector; `close` sends what is left."""

    def __init__(self, processor: SpanProcessor, *, share: float = SHARE) -> None:
        resource = Resource.create({"service.name": "isthmus"})
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(share)))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("isthmus.gateway")

    @classmethod
    def to_collector(cls, endpoint: str, share: float) -> Tracing:
        """Make one that sends to a collector by OTLP over HTTP, such as `http://127.0.0.1:4318`."""
        return cls(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")), share=share)

    @asynccontextmanager
    async def call(self, name: str, call_id: str, front_end: str, client: str, parent: str) -> AsyncGenerator[CallSpan]:
        """Make the span of a call; an error that passes is its status. parent: the `traceparent` that was sent."""
        within = _PROPAGATOR.extract({"traceparent": parent}) if parent else context.Context()
        within = baggage.set_baggage("front_end", front_end, within)
        attributes = {
            "isthmus.capability": name,
            "isthmus.call": call_id,
            "isthmus.front_end": front_end,
            "isthmus.client": client,
        }
        span = self._tracer.start_span(name, within, SpanKind.SERVER, attributes)
        found = CallSpan(span)
        token = context.attach(set_span_in_context(span, within))
        try:
            if found.is_sampled:
                with watched() as found.statements:
                    yield found
                    await asyncio.sleep(0)  # the last statement is noted in the loop's next turn
            else:
                yield found
        except errors.Refusal as refused:  # an answer, if a no: the span says so, and is no error
            span.set_attribute("isthmus.error", refused.slug)
            raise
        except Exception as error:
            slug = error.slug if isinstance(error, errors.IsthmusError) else "fault"
            span.set_attribute("isthmus.error", slug)
            span.set_status(Status(StatusCode.ERROR, slug))
            raise
        finally:
            context.detach(token)
            if found.call_trace is not None:
                self._describe(span, found.call_trace)
            self._add_statements(span, found.statements)
            span.end()

    def close(self) -> None:
        self._provider.shutdown()

    def _describe(self, span: Span, call_trace: Trace) -> None:
        attributes: dict[str, Any] = {
            "isthmus.box": call_trace.box,
            "isthmus.version": call_trace.fingerprint,
            "isthmus.events": [name for name, _ in call_trace.events],
        }
        span.set_attributes(attributes)
        for asked in call_trace.asked:
            span.add_event(asked.point, {"isthmus.rule": asked.rule, "isthmus.by": [one.by for one in asked.said]})
        within = set_span_in_context(span)
        for part in call_trace.parts:
            start = part.began_us * 1_000
            child = self._tracer.start_span(part.capability, within, start_time=start)
            if part.error:
                child.set_status(Status(StatusCode.ERROR, part.error.partition(":")[0]))
            child.end(start + part.took_us * 1_000)

    def _add_statements(self, span: Span, statements: Sequence[Statement]) -> None:
        """Add a span for each statement, named by what it does; values are not in it."""
        within = set_span_in_context(span)
        for one in statements:
            attributes = {"db.system.name": "postgresql", "db.query.text": one.text}
            start = one.began_us * 1_000
            child = self._tracer.start_span(
                " ".join(one.text.split()[:2])[:64] or "statement",
                within,
                SpanKind.CLIENT,
                attributes,
                start_time=start,
            )
            if one.has_failed:
                child.set_status(Status(StatusCode.ERROR))
            child.end(start + one.took_us * 1_000)
