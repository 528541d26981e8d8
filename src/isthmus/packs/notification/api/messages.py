"""Messages, as others may name them: sent, composed, delivered and looked at."""

from __future__ import annotations

import enum
from base64 import b64decode
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from isthmus.kernel import Effect, Meta, Pass, Value, capability, combine, errors, event, extension_point
from isthmus.markings import Pii
from isthmus.values import LINES_MAX, ORDER_KIND, Code, Moment, Money, PageSize

from .addresses import Address, Topic

ATTEMPTS_MAX = 24  # some sixteen hours of tries: a mail server's bad night
BATCH_MAX = 20  # letters at once of one front end in one process: a mail server takes as many connections
DELIVER_DEADLINE_MS = 60_000
ATTACHMENTS_MAX = 3
ATTACHED_MAX = 4_000_000  # signs of one, in base64: mail servers take some ten millions of a mail

Reference = Annotated[str, Meta(min_length=1, max_length=128)]
Subject = Annotated[str, Pii("free-text"), Meta(max_length=200, pattern=r"^[^\r\n\x00]*\Z")]
Body = Annotated[str, Pii("free-text"), Meta(max_length=100_000)]


class MessageState(enum.StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    ERASED = "erased"


class Item(Value):
    """Something that a message lists, such as a line of an order."""

    title: str
    quantity: int
    amount: Money | None = None


class Draft(Value):
    """A message before it is composed. kind: what happened, `order.placed`; facts: what its words are made of.

    Its subject and text are those of whoever sends it; an empty text is not sent, unless the front end writes one.
    """

    kind: Code
    topic: Topic = ""
    medium: Code = "email"
    language: Annotated[str, Meta(max_length=35)] = ""
    subject: Subject = ""
    text: Body = ""
    facts: dict[str, str] = {}
    items: Annotated[tuple[Item, ...], Meta(max_length=LINES_MAX)] = ()


class Content(Value):
    """What people read; with an empty text nothing is sent."""

    subject: Subject = ""
    text: Body = ""
    html: Body = ""


class Attachment(Value):
    """A file that goes with a message where its medium carries files, as mail does. content: in base64."""

    name: Annotated[str, Pii("free-text"), Meta(max_length=120, pattern=r"^[^\x00-\x1f\x7f/\\]+\Z")]
    media_type: Annotated[str, Meta(max_length=100, pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+\Z")]
    content: Annotated[str, Pii("free-text"), Meta(min_length=4, max_length=ATTACHED_MAX)]

    def __check__(self, path: str) -> None:
        try:
            b64decode(self.content, validate=True)
        except ValueError as wrong:
            raise errors.BadAsk(
                f"the content of {self.name!r} is not base64: {wrong}",
                remedy="send the file's bytes in base64, in one line",
                path=f"{path}.content",
            ) from None


class Send(Draft):
    """Send a message to an address. `reference` sends once."""

    reference: Reference
    address: Address
    member_id: UUID | None = None
    attachments: Annotated[tuple[Attachment, ...], Meta(max_length=ATTACHMENTS_MAX)] = ()


class Message(Value):
    """A message and how it stands; an address that is forgotten is empty."""

    message_id: UUID
    reference: str
    kind: str
    topic: str
    medium: str
    address: Annotated[str, Pii("identifier")]
    member_id: UUID | None
    subject: Annotated[str, Pii("free-text")]
    state: MessageState
    reason: str
    attempts: int
    written_at: Moment
    ended_at: Moment | None


class Try(Value):
    """One try to deliver a message."""

    number: int
    provider: str
    outcome: Literal["sent", "refused", "again"]
    reason: str
    at: Moment


class GetMessage(Value):
    """Ask for a message, by its id or by its reference."""

    message_id: UUID | None = None
    reference: Reference | None = None


class MessageLog(Value):
    """A message with what was tried to deliver it."""

    message: Message
    tries: tuple[Try, ...]


class ListMessages(Value):
    """List messages, the newest first."""

    state: MessageState | None = None
    limit: PageSize = 50
    cursor: Annotated[str, Meta(max_length=400)] | None = None


class MessagePage(Value):
    """Some messages, and where to go on."""

    items: tuple[Message, ...]
    next_cursor: str | None


class HasDue(Value):
    """Ask whether a message is due."""


class Due(Value):
    """Whether there is one."""

    is_any: bool


class ClaimMessages(Value):
    """Take messages that are due, for as long as a try may last."""

    limit: Annotated[int, Meta(ge=1, le=BATCH_MAX)] = BATCH_MAX


class ClaimedMessage(Value):
    """A message to be sent now."""

    message_id: UUID
    medium: str
    address: Annotated[str, Pii("identifier")]
    subject: Annotated[str, Pii("free-text")]
    text: Annotated[str, Pii("free-text")]
    html: Annotated[str, Pii("free-text")]
    attempt: int
    attachments: tuple[Attachment, ...] = ()


class Claimed(Value):
    """The messages that were taken, the longest due first."""

    items: tuple[ClaimedMessage, ...]


class Result(Value):
    """What came of one try."""

    message_id: UUID
    attempt: int
    provider: str
    outcome: Literal["sent", "refused", "again"]
    provider_reference: str = ""
    reason: Annotated[str, Meta(max_length=500)] = ""


class EndDeliveries(Value):
    """Write down what came of tries."""

    results: Annotated[tuple[Result, ...], Meta(min_length=1, max_length=BATCH_MAX)]


class Ended(Value):
    """How many messages have ended."""

    ended: int


class DeliverMessages(Value):
    """Deliver what is due."""

    limit: Annotated[int, Meta(ge=1, le=BATCH_MAX)] = BATCH_MAX


class Delivered(Value):
    """How many were tried, and how many of them have ended."""

    tried: int
    ended: int


class ForgetContent(Value):
    """Forget addresses and texts of messages that ended long ago."""


class Forgotten(Value):
    """How many messages have none any more."""

    messages: int


@event("notification.message-ended", version="1.0", subject="message_id")
class MessageEnded(Value):
    """A message was sent, or will not be."""

    message_id: UUID
    reference: str
    kind: str
    state: MessageState


class UnknownMedium(errors.NotFound):
    """No provider takes messages of this medium."""

    slug = "notification.unknown-medium"

    def __init__(self, *, medium: str, known: Sequence[str]) -> None:
        super().__init__(
            f"no provider sends by {medium!r}{errors.near(medium, known)}",
            remedy=f"use one of {', '.join(known)}, or connect one in [providers.notification]",
            path="$.medium",
        )


class UnknownMessage(errors.NotFound):
    """There is no such message here."""

    slug = "notification.unknown-message"

    def __init__(self, *, what: str) -> None:
        super().__init__(
            f"there is no message {what}", remedy="list them with notification.list-messages", path="$.message_id"
        )


class BadCursor(errors.BadAsk):
    """The cursor is not one that this list gave."""

    slug = "notification.bad-cursor"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one of this list",
            remedy="send next_cursor of the page before, or none to begin",
            path="$.cursor",
        )


@capability("notification.send", version="1.0", effect=Effect.WRITE, raises=[UnknownMedium])
def send(ask: Send) -> Message:
    """Write a message down, to be delivered within seconds. A reference is sent once, and gives the same message again.

    Suppressed, with the reason, where the address has opted out or was erased, or the front end sends none of its kind.
    """
    ...


@capability("notification.get-message", version="1.0", effect=Effect.READ, raises=[UnknownMessage])
def get_message(ask: GetMessage) -> MessageLog:
    """Return a message with every try to deliver it."""
    ...


@capability("notification.list-messages", version="1.0", effect=Effect.READ, raises=[BadCursor])
def list_messages(ask: ListMessages) -> MessagePage:
    """List messages, the newest first."""
    ...


@capability("notification.has-due", version="1.0", effect=Effect.READ, is_internal=True)
def has_due(ask: HasDue) -> Due:
    """Say whether a message is due."""
    ...


@capability("notification.claim-messages", version="1.0", effect=Effect.WRITE, is_internal=True)
def claim_messages(ask: ClaimMessages) -> Claimed:
    """Take messages that are due; nobody else does until a try may be over, and then they are due again."""
    ...


@capability("notification.end-deliveries", version="1.0", effect=Effect.WRITE, is_internal=True)
def end_deliveries(ask: EndDeliveries) -> Ended:
    """Write down what came of tries. What has ended stays as it is."""
    ...


@capability("notification.deliver-messages", version="1.0", effect=Effect.SAGA, deadline_ms=DELIVER_DEADLINE_MS)
def deliver_messages(ask: DeliverMessages) -> Delivered:
    """Have providers send what is due; the platform does so every few seconds, in every server."""
    ...


@capability("notification.forget-content", version="1.0", effect=Effect.WRITE)
def forget_content(ask: ForgetContent) -> Forgotten:
    """Forget addresses and texts of what ended longer ago than `[settings.notification] kept_days`."""
    ...


@extension_point("notification.compose", combine=combine.first_answer, dimensions=[ORDER_KIND])
def compose(draft: Draft) -> Content | Pass:
    """Write what people read: in the front end's words and the reader's language; an empty text sends nothing.

    Default: the subject and the text that it was sent with.
    """
    return Content(subject=draft.subject, text=draft.text)
