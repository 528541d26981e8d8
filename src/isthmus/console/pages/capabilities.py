"""Capabilities: what each promises, who uses it, how it fares; and a form to try it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from isthmus.governance.traffic import Traffic
from isthmus.kernel import Capability, Effect, errors
from isthmus.kernel.host import Trace
from isthmus.pages import ordered

from .. import forms
from ..client import Client
from ..web import Page, form, page_of, render
from .calls import Traces
from .contract_history import ContractHistory
from .cost import Cost

PAGE_SIZE: Final = 40
COLUMNS: Final[Mapping[str, Callable[[tuple[Capability[Any, Any], int]], Any]]] = {
    "name": lambda pair: pair[0].name,
    "effect": lambda pair: pair[0].effect.value,
    "version": lambda pair: [int(part) for part in pair[0].version.split(".")],
    "calls": lambda pair: pair[1],
}


class Capabilities:
    """The pages of capabilities."""

    def __init__(self, client: Client, traffic: Traffic, traces: Traces, cost: Cost, history: ContractHistory) -> None:
        self._client = client
        self._traces = traces
        self._traffic = traffic
        self._cost = cost
        self._history = history

    def pages(self) -> list[Page]:
        return [
            Page("/capabilities", "Capabilities", self.list),
            Page("/capabilities/{name}", "", self.show),
            Page("/capabilities/{name}/try", "", self.attempt, ("POST",)),
        ]

    async def list(self, request: Request) -> Response:
        wanted = request.query_params.get("q", "").strip().lower()
        front_end = request.query_params.get("front_end", "")
        permitted = self._client.release.line(front_end).permitted if front_end else None
        calls: Counter[str] = Counter()
        for (_, name), tally in (await self._traffic.of()).items():
            calls[name] += tally.calls
        found = [
            (offered.capability, calls[name])
            for name, offered in sorted(self._client.release.offered.items())
            if (permitted is None or name in permitted)
            and all(word in f"{name} {offered.capability.doc}".lower() for word in wanted.split())
        ]
        shown, next_cursor = page_of(request, ordered(request, found, COLUMNS), PAGE_SIZE)
        return render(
            request,
            "capabilities.html",
            found=shown,
            whole=len(found),
            next_cursor=next_cursor,
            wanted=wanted,
            front_end=front_end,
            codes=sorted(self._client.release.lines),
        )

    async def show(self, request: Request) -> Response:
        return await self._shown(request)

    async def attempt(self, request: Request) -> Response:
        """Call the capability with what was typed in, and show the answer and its trace.

        A write is a write: it does what it says, and the key that came with the form makes it once.
        """
        name, typed = request.path_params["name"], await form(request)
        capability = self._found(name)
        caller = self._client.caller(typed.get("front_end", ""))
        traces: list[Trace] = []
        try:
            ask = msgspec.json.encode(forms.read(forms.fields_of(capability)[0], typed))
            key = typed.get("key") if capability.effect is not Effect.READ else None
            answer, _ = await self._client.platform.call_wire(name, ask, caller, key=key, on_trace=traces.append)
        except errors.IsthmusError as refused:
            return await self._shown(request, typed, refused=refused, traces=traces)
        finally:
            for trace in traces:
                await self._traces.keep(trace)
        return await self._shown(request, typed, answer=msgspec.json.decode(answer), traces=traces)

    def _found(self, name: str) -> Capability[Any, Any]:
        """Return a shared capability, or one of the front end that it is named after. Raises UnknownCapability."""
        release = self._client.release
        return release.lines.get(name.partition(".")[0], release).find(name).capability

    async def _kept(self, trace: Trace) -> Any:
        """Return a trace as it is kept, and as its own page shows it: without what says who somebody is."""
        try:
            return msgspec.json.decode(await self._traces.open(trace.call_id))
        except errors.NotFound:  # it could not be written down, which is logged
            return None

    async def _shown(
        self,
        request: Request,
        typed: Mapping[str, str] | None = None,
        *,
        answer: Any = None,
        refused: errors.IsthmusError | None = None,
        traces: list[Trace] | None = None,
    ) -> Response:
        name = request.path_params["name"]
        found = self._found(name)
        ask_fields, answer_fields = forms.fields_of(found)
        consumers = self._client.users(name)
        used_by = [
            one.capability.name
            for one in self._client.release.offered.values()
            if any(part.name == name for part in one.capability.uses)
        ]
        return render(
            request,
            "capability.html",
            found=found,
            ask_fields=ask_fields,
            answer_fields=answer_fields,
            rows_of=forms.rows_of,
            consumers=consumers,
            used_by=sorted(used_by),
            points=sorted(one for one in self._client.release.points if one.startswith(f"{found.pack}.")),
            owner=self._client.release.packs[found.pack].owner if found.pack in self._client.release.packs else "",
            calls=[(code, one) for (code, _), one in (await self._traffic.of(capability=name)).items()],
            refusals=await self._traffic.refused(capability=name),
            editions=await self._history.of(name),
            beside=_beside(name, self._client.release.offered),
            cost=await self._cost.of_capability(name),
            typed=typed or dict(request.query_params),
            front_end=(typed or request.query_params).get("front_end") or next(iter(consumers), ""),
            answer=answer,
            refused=refused,
            trace=await self._kept(traces[0]) if traces else None,
            key=self._client.platform.new_call_id(),
        )


def _beside(name: str, offered: Collection[str]) -> list[str]:
    """Return the other contracts of a capability that are offered at the same time: `price`, `price-v2`."""
    stem = re.compile(re.escape(re.sub(r"-v\d+$", "", name)) + r"(-v\d+)?")
    return sorted(one for one in offered if one != name and stem.fullmatch(one))
