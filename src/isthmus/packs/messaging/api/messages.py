"""Members are told things: by a push where they can be reached, and by their inbox always."""

from __future__ import annotations

from isthmus.kernel import Effect, capability
from isthmus.personal import Forget, Forgotten

from .errors import (
    CampaignEnded,
    PayloadTooLarge,
    TwoAudiences,
    UnknownCampaign,
    UnknownKind,
    UnknownMessage,
    UnknownZone,
    WrongEndpoint,
)
from .model import (
    AddEndpoint,
    Campaign,
    Campaigns,
    Choices,
    Choose,
    Claim,
    Claimed,
    Deliver,
    Delivered,
    EndDeliveries,
    Endpoint,
    GetPushKey,
    Inbox,
    InboxMessage,
    ListCampaigns,
    ListInbox,
    LookForWork,
    MarkRead,
    NoteReceipt,
    Notify,
    Prune,
    Pruned,
    PushKey,
    QueueBatch,
    Queued,
    Removed,
    RemoveEndpoint,
    RunCampaigns,
    SetTopic,
    StartCampaign,
    SteerCampaign,
    Topics,
    Unread,
    Work,
)

RUN_DEADLINE_MS = 60_000
BATCH_DEADLINE_MS = 30_000  # some thousands of rows, on a database that has much else to do
DELIVER_DEADLINE_MS = 30_000


@capability("messaging.get-push-key", version="1.0", effect=Effect.READ)
def get_push_key(ask: GetPushKey) -> PushKey:
    """Return the key that a browser subscribes with, and which kinds of devices can be reached."""
    ...


@capability(
    "messaging.add-endpoint", version="1.0", effect=Effect.WRITE, raises=[WrongEndpoint, UnknownKind, UnknownZone]
)
def add_endpoint(ask: AddEndpoint) -> Endpoint:
    """Reach a member at a device from now on; the same address again is moved to who uses it now."""
    ...


@capability("messaging.remove-endpoint", version="1.0", effect=Effect.WRITE)
def remove_endpoint(ask: RemoveEndpoint) -> Removed:
    """Reach a member there no more. Safe to repeat."""
    ...


@capability("messaging.set-topic", version="1.0", effect=Effect.WRITE)
def set_topic(ask: SetTopic) -> Topics:
    """Have a member follow a topic, or no more. Safe to repeat."""
    ...


@capability("messaging.opt-out", version="1.0", effect=Effect.WRITE)
def opt_out(ask: Choose) -> Choices:
    """Push a member nothing more for a purpose, also of what waits already. Safe to repeat."""
    ...


@capability("messaging.opt-in", version="1.0", effect=Effect.WRITE)
def opt_in(ask: Choose) -> Choices:
    """Take an opt-out back: the one for this purpose, or the one for everything."""
    ...


@capability("messaging.notify", version="1.0", effect=Effect.WRITE, raises=[PayloadTooLarge])
def notify(ask: Notify) -> InboxMessage:
    """Put a message into a member's inbox, and push it to their devices within seconds.

    Nothing is pushed for a purpose that the member has not consented to or has opted out of, in their night, or more
    often than the cap lets; the inbox has it. Purposes that are free (`[settings.messaging]`) know no night and no cap.
    """
    ...


@capability("messaging.list-inbox", version="1.0", effect=Effect.READ)
def list_inbox(ask: ListInbox) -> Inbox:
    """List a member's messages, the newest first, and say how many are not read."""
    ...


@capability("messaging.mark-read", version="1.0", effect=Effect.WRITE)
def mark_read(ask: MarkRead) -> Unread:
    """Mark messages as read, or all of them. Safe to repeat."""
    ...


@capability("messaging.note-receipt", version="1.0", effect=Effect.WRITE, raises=[UnknownMessage])
def note_receipt(ask: NoteReceipt) -> Unread:
    """Note that a push was shown or opened. Safe to repeat, in any order."""
    ...


@capability("messaging.start-campaign", version="1.0", effect=Effect.WRITE, raises=[PayloadTooLarge, TwoAudiences])
def start_campaign(ask: StartCampaign) -> Campaign:
    """Say something to many. It is queued from member to member, and goes on where it was when a server is killed."""
    ...


@capability("messaging.steer-campaign", version="1.0", effect=Effect.WRITE, raises=[UnknownCampaign, CampaignEnded])
def steer_campaign(ask: SteerCampaign) -> Campaign:
    """Pause a campaign, go on with it, or cancel it with all that still waits."""
    ...


@capability("messaging.list-campaigns", version="1.0", effect=Effect.READ)
def list_campaigns(ask: ListCampaigns) -> Campaigns:
    """List campaigns with what came of them, the newest first."""
    ...


@capability("messaging.run-campaigns", version="1.0", effect=Effect.SAGA, deadline_ms=RUN_DEADLINE_MS)
def run_campaigns(ask: RunCampaigns) -> Queued:
    """Queue what campaigns have to say, some thousands of members a transaction; the platform does so all the time."""
    ...


@capability("messaging.look-for-work", version="1.0", effect=Effect.READ, is_internal=True)
def look_for_work(ask: LookForWork) -> Work:
    """Say whether a push is due, or a campaign has members left."""
    ...


@capability(
    "messaging.queue-batch", version="1.0", effect=Effect.WRITE, is_internal=True, deadline_ms=BATCH_DEADLINE_MS
)
def queue_batch(ask: QueueBatch) -> Queued:
    """Queue a campaign for its next members: their messages, deliveries and where it has got to, in one transaction."""
    ...


@capability("messaging.deliver", version="1.0", effect=Effect.SAGA, deadline_ms=DELIVER_DEADLINE_MS)
def deliver(ask: Deliver) -> Delivered:
    """Push what is due; the platform does so every second, in every server."""
    ...


@capability("messaging.claim-deliveries", version="1.0", effect=Effect.WRITE, is_internal=True)
def claim_deliveries(ask: Claim) -> Claimed:
    """Take what is due, and end what must not be pushed any more. Who opts out before this gets nothing."""
    ...


@capability("messaging.end-deliveries", version="1.0", effect=Effect.WRITE, is_internal=True)
def end_deliveries(ask: EndDeliveries) -> Delivered:
    """Write down what came of tries. What has ended stays as it is."""
    ...


@capability("messaging.prune", version="1.0", effect=Effect.WRITE)
def prune(ask: Prune) -> Pruned:
    """Forget when persons were pushed something, as soon as no cap is counted by it."""
    ...


@capability("messaging.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget members: where they are reached, and all that was said to them."""
    ...
