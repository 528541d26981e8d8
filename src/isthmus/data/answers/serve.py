"""Metrics over HTTP, for any server to mount: a question in, rows and a receipt out, as JSON or as an Arrow stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from isthmus.data.answers.groupings import groupings
from isthmus.kernel import decode, encode
from isthmus.markings import Filter, Where

from ..arrow import pa
from ..lake.stopping import while_wanted
from ..model import attributes
from ..model.ask import GRAINS, Ask, read_condition, read_filter
from ..privacy.policy import Policy
from .metrics import Answer, Metrics

ARROW: Final = "application/vnd.apache.arrow.stream"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire. The receipt's id is in a header as well, for readers of Arrow."""

    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


async def ask(
    metrics: Metrics,
    policy: Policy,
    body: bytes,
    accept: str = JSON,
    asker: str = "",
    gone: Callable[[], Awaitable[object]] | None = None,
) -> Reply:
    """Answer a question in JSON under a policy, in another thread, so that a long one holds up nobody.

    gone: returns when nobody waits for the answer any more, and then what is read for it ends. Raises BadAsk with the
    path of what is wrong, and the errors of `errors.py`; each has a slug for a problem document.
    """
    question = _read(body)
    answer = await while_wanted(lambda: metrics.ask(question, policy, asker=asker), gone or asyncio.Event().wait)
    headers = (("isthmus-receipt", answer.receipt.id), ("isthmus-snapshot", answer.receipt.snapshot))
    if ARROW in accept:
        return Reply(ARROW, headers, arrow(answer))
    columns = {"columns": answer.columns, "rows": [[row[name] for name in answer.columns] for row in answer.rows]}
    return Reply(JSON, headers, encode({**columns, "receipt": answer.receipt}))


class _Written(Ask):
    """A question as it is sent: conditions may be text too."""

    where: tuple[Filter | str, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    having: tuple[Where | str, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]


def _read(body: bytes) -> Ask:
    """Return a question, with conditions that are text read as the command line reads them. Raises BadAsk."""
    written = decode(body, _Written)
    fields: dict[str, Any] = {name: getattr(written, name) for name in Ask.__struct_fields__}
    fields["where"] = tuple(read_condition(one) if isinstance(one, str) else one for one in written.where)
    fields["having"] = tuple(read_filter(one, "$.having") if isinstance(one, str) else one for one in written.having)
    return Ask(**fields)


def arrow(answer: Answer) -> bytes:
    """Return an answer as an Arrow IPC stream."""
    sink: Any = pa.BufferOutputStream()
    table = cast(Any, answer.table)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def describe(metrics: Metrics, policy: Policy, name: str) -> bytes:
    """Return what a metric is made of, whose it is, and what it may be grouped by, as JSON. Raises UnknownName."""
    model = metrics.seen_by(policy)
    metric = model.metric(name)
    return encode({
        "metric": metric,
        "owner": model.owners.get(name, ""),
        "by": ["time", *groupings(metrics, name, policy)],
        "grains": [*GRAINS, *model.calendar.own],
        "usage": metrics.usage.of([name], policy.name)[name],
    })  # fmt: skip


def catalogue(metrics: Metrics, policy: Policy, words: str = "") -> bytes:
    """Return the metrics in which all words occur, as JSON: name, kind, unit, owner, description, usage.

    With them, the attributes that may be asked by, found in the same way. Both are as somebody sees them who asks
    under the policy, and so is usage. It reads a file for each receipt that is new to it.
    """
    model = metrics.seen_by(policy)
    owners = model.owners
    named = metrics.search(words, model)
    used = metrics.usage.of((metric.name for metric in named), policy.name)
    found = [
        {
            "name": metric.name,
            "kind": metric.__struct_config__.tag,
            "unit": model.unit(metric.name),
            "owner": owners.get(metric.name, ""),
            "doc": metric.doc,
            "usage": used[metric.name],
        }
        for metric in named
    ]
    own = [
        {"name": name, "kind": field.kind, "values": field.values, "doc": field.doc}
        for name, field in attributes.dimensions(model, words)
    ]
    return encode({"model": metrics.model.version, "metrics": found, "attributes": own})
