"""What a platform and the service of a pack that left it say to each other, as JSON.

A call goes to `POST /v1/PACK.CAPABILITY`, whole. Where the service needs a front end's answer to an extension point,
it says so instead of answering, with nothing done; the call is then sent again with that answer beside it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from isthmus.kernel import Caller, Value

from .own import OwnFields

ATTRIBUTES: Final = "attributes:"  # before an entity: a question to the front end's own attributes, not to a point
NOTHING: Final = msgspec.Raw(b"null")  # in place of an answer, which is always an object
QUESTIONS_MAX: Final = 64  # of one call: a capability that asks more asks in a loop

_encoder = msgspec.json.Encoder(order="deterministic")


class Known(Value):
    """A question with its answer, as `Wanted` has it."""

    question: str
    arguments: msgspec.Raw
    answer: msgspec.Raw
    plan: str = ""
    box: str = ""


class Forwarded(Value):
    """A call. Only `ask` and `front_end` are needed; who calls alone has the defaults of all points.

    asked: points that the front end answers otherwise than by default. declares: entities that it gives attributes of
    its own; attributes: what it says of their fields. known: its answers so far. is_undone: say what would be answered,
    and leave nothing of it. key: under which a write is done once; none: `call_id`, which the writes of a flow have in
    common. ids: how many the call has made before. parts: of the front end, to which its rows are confined.
    """

    ask: msgspec.Raw
    front_end: str
    box: str = ""
    caller: Caller | None = None
    call_id: str = ""
    now: datetime | None = None
    settings: dict[str, str] = {}
    fingerprint: str = ""
    asked: tuple[str, ...] = ()
    declares: tuple[str, ...] = ()
    attributes: OwnFields = {}
    known: tuple[Known, ...] = ()
    is_undone: bool = False
    key: str = ""
    ids: int = 0
    parts: str = ""


class Emitted(Value):
    """An event of a call, which the platform sends."""

    name: str
    data: msgspec.Raw


class Refused(Value):
    """Why a call was refused: an error of the pack's contract, or of the kernel, by its slug."""

    slug: str
    message: str
    remedy: str
    path: str | None = None
    facts: dict[str, Any] = {}


class Wanted(Value):
    """A question that has to be answered before the call can be. arguments: a JSON array, in the order of the point.

    plan: the rules that something was sold under, by which it is to be answered; none: those of the call. box: in which
    it is to be answered; none: that of the call.
    """

    question: str
    arguments: msgspec.Raw
    plan: str = ""
    box: str = ""


class Replied(Value):
    """What a service says to a call: an answer, a refusal or a question.

    ids: how many have been made for it, those of its events included.
    """

    answer: msgspec.Raw = NOTHING
    refused: Refused | None = None
    wanted: Wanted | None = None
    events: tuple[Emitted, ...] = ()
    ids: int = 0


def written(value: object) -> bytes:
    """Return JSON in which equal values are equal bytes, so that a question is known again."""
    return _encoder.encode(value)
