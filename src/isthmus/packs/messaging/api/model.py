"""What pushes are: where devices are reached, what is said to them, and what an inbox has."""

from __future__ import annotations

import enum
from typing import Annotated, Final, Literal
from uuid import UUID

from isthmus.kernel import Meta, Value
from isthmus.markings import Pii
from isthmus.values import Code, Moment, PageSize

PAYLOAD_BYTES_MAX: Final = 3_800  # services take 4,096, of which encryption and their own fields need some
ATTEMPTS_MAX: Final = 8
CLAIM_MAX: Final = 500
BATCH: Final = 5_000  # members that a campaign is queued for in one transaction

MemberId = Annotated[UUID, Pii("identifier")]
Purpose = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}\Z", description="what it is for, as members consent to it")
]
AnyPurpose = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]{0,39})?\Z", description="a purpose; empty: all of them")]
Link = Annotated[
    str,
    Meta(
        pattern=r"^(/([^/\\\s][^\s\\]*)?|https://[^\s]+|(?!(?:javascript|data|vbscript|file|blob):)[a-z][a-z0-9+.-]*://[^\s]+)?\Z",
        max_length=500,
        description="where it leads: a path of the app, https, or an app's own scheme",
    ),
]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,32}\Z", description="of several with one key the newest is shown")]
Secret = Annotated[str, Pii("identifier"), Meta(pattern=r"^[A-Za-z0-9_-]{0,120}=*\Z")]


class AddEndpoint(Value):
    """Reach a member at a device. kind: `web`, or what a provider takes; address: of the push service, or its token.

    p256dh, auth: of a browser's subscription, which a push is encrypted for. device_id: of one that may be cut off.
    zone: in which the member's day is.
    """

    member_id: MemberId
    kind: Code
    address: Annotated[str, Pii("identifier"), Meta(min_length=8, max_length=2_000)]
    p256dh: Secret = ""
    auth: Secret = ""
    device_id: Annotated[str, Pii("identifier"), Meta(max_length=100)] = ""
    zone: Annotated[str, Meta(max_length=64)] = "UTC"


class Endpoint(Value):
    """Where a member is reached."""

    endpoint_id: UUID
    member_id: MemberId
    kind: str
    state: str
    made_at: Moment


class RemoveEndpoint(Value):
    """Reach a member there no more."""

    endpoint_id: UUID


class Removed(Value):
    """Whether anything was there."""

    is_removed: bool


class SetTopic(Value):
    """Have a member get what is said of a topic, or no more."""

    member_id: MemberId
    topic: Code
    is_followed: bool = True


class Topics(Value):
    """The topics that a member follows."""

    topics: tuple[str, ...]


class Choose(Value):
    """Name a member, and a purpose; none: all of them."""

    member_id: MemberId
    purpose: AnyPurpose = ""


class Choices(Value):
    """The purposes that a member wants nothing for; an empty one is all of them."""

    opted_out: tuple[str, ...]


class Draft(Value):
    """What is said. collapse_key: an older message with the same one is replaced. ttl_hours: later it is not pushed."""

    purpose: Purpose
    title: Annotated[str, Pii("free-text"), Meta(min_length=1, max_length=200)]
    body: Annotated[str, Pii("free-text"), Meta(max_length=4_000)] = ""
    link: Link = ""
    collapse_key: Key = ""
    ttl_hours: Annotated[int, Meta(ge=1, le=672)] = 24


class Notify(Value):
    """Say something to a member. reference: it is said once; the same one again gives the same message."""

    member_id: MemberId
    reference: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=200)]
    draft: Draft


class InboxMessage(Value):
    """A message as a member reads it."""

    message_id: UUID
    purpose: str
    title: Annotated[str, Pii("free-text")]
    body: Annotated[str, Pii("free-text")]
    link: str
    made_at: Moment
    read_at: Moment | None


class ListInbox(Value):
    """List what a member was sent, the newest first."""

    member_id: MemberId
    limit: PageSize = 50
    before: UUID | None = None


class Inbox(Value):
    """A member's messages, and how many are not read; `next_before` goes on with those before."""

    items: tuple[InboxMessage, ...]
    unread: int
    next_before: UUID | None = None


class MarkRead(Value):
    """Mark messages as read; none named: all of them."""

    member_id: MemberId
    message_ids: Annotated[tuple[UUID, ...], Meta(max_length=200)] = ()


class Unread(Value):
    """How many messages are not read."""

    unread: int


class NoteReceipt(Value):
    """What an app says of a push: that it was shown, or opened. A message that was opened is read."""

    member_id: MemberId
    message_id: UUID
    what: Literal["shown", "opened"]
    endpoint_id: UUID | None = None


class CampaignState(enum.StrEnum):
    QUEUING = "queuing"
    PAUSED = "paused"
    QUEUED = "queued"
    CANCELLED = "cancelled"


class StartCampaign(Value):
    """Say something to many: who follows a topic, or is in a segment; else to all who can be reached."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    draft: Draft
    topic: Code | None = None
    segment: Code | None = None


class SteerCampaign(Value):
    """Pause a campaign, go on with it, or cancel it: then what still waits is not pushed."""

    campaign_id: Annotated[int, Meta(ge=1, le=2**62)]
    act: Literal["pause", "resume", "cancel"]


class Campaign(Value):
    """A campaign and what came of it. left_out: opted out, or without consent. deliveries: how many by state."""

    campaign_id: int
    name: str
    topic: str | None
    segment: str | None
    purpose: str
    title: Annotated[str, Pii("free-text")]
    state: CampaignState
    messages: int
    left_out: int
    read: int
    deliveries: dict[str, int]
    shown: int
    opened: int
    author: str
    made_at: Moment


class ListCampaigns(Value):
    """List campaigns, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    before: Annotated[int, Meta(ge=1, le=2**62)] | None = None


class Campaigns(Value):
    """Campaigns; `next_before` goes on with those before."""

    items: tuple[Campaign, ...]
    next_before: int | None = None


class GetPushKey(Value):
    """Ask for the key that a browser subscribes with."""


class PushKey(Value):
    """The VAPID key (`applicationServerKey`), base64url; kinds: which devices can be reached."""

    key: str
    kinds: tuple[str, ...]


class LookForWork(Value):
    """Ask whether anything is to be done."""


class Work(Value):
    """Whether a push is due, and whether a campaign has members left."""

    is_due: bool
    is_queuing: bool


class RunCampaigns(Value):
    """Queue what campaigns have to say. batches: at most so many transactions."""

    batches: Annotated[int, Meta(ge=1, le=1_000)] = 10  # they fit into a run on a busy machine; the next goes on


class QueueBatch(Value):
    """Queue the next members of a campaign."""


class Queued(Value):
    """For how many members it was queued; `is_more`: there is more to queue."""

    members: int
    is_more: bool


class Deliver(Value):
    """Push what is due."""

    limit: Annotated[int, Meta(ge=1, le=CLAIM_MAX)] = 200


class Delivered(Value):
    """How many were tried, and how many have ended."""

    tried: int
    ended: int


class Claim(Value):
    """Take what is due."""

    limit: Annotated[int, Meta(ge=1, le=CLAIM_MAX)]


class Push(Value):
    """A push as a provider gets it; the id is the same at every try. tag: the collapse key."""

    message_id: UUID
    endpoint_id: UUID
    kind: str
    address: Annotated[str, Pii("identifier")]
    p256dh: Secret
    auth: Secret
    title: Annotated[str, Pii("free-text")]
    body: Annotated[str, Pii("free-text")]
    link: str
    tag: str
    ttl_s: int
    is_urgent: bool
    attempt: int


class Claimed(Value):
    """What is to be pushed now. taken: how many were due, with those that are left out or put off."""

    items: tuple[Push, ...]
    taken: int


class Result(Value):
    """What came of a try."""

    message_id: UUID
    endpoint_id: UUID
    attempt: int
    outcome: Literal["sent", "refused", "gone", "again"]
    reason: str = ""


class EndDeliveries(Value):
    """Write down what came of tries."""

    results: Annotated[tuple[Result, ...], Meta(max_length=CLAIM_MAX)]


class Prune(Value):
    """Forget what caps are no longer counted by."""


class Pruned(Value):
    """How many rows are gone."""

    rows: int
