"""Pushes and inboxes, as others may name them: what is said to members of a front end, and how it reaches them.

    notify ───────────────┐                    ┌▶ sent ──▶ shown, opened (receipts)
    start-campaign ──▶ inbox + deliveries ──▶ claim ──▶ again later: slow, away, their night
                                               └▶ refused, gone, opted-out, capped, cut-off, expired

The inbox is written with the deliveries, and is there whatever becomes of them.
"""

# pyright: reportUnusedImport=false

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
from .messages import (
    add_endpoint,
    claim_deliveries,
    deliver,
    end_deliveries,
    forget,
    get_push_key,
    list_campaigns,
    list_inbox,
    look_for_work,
    mark_read,
    note_receipt,
    notify,
    opt_in,
    opt_out,
    prune,
    queue_batch,
    remove_endpoint,
    run_campaigns,
    set_topic,
    start_campaign,
    steer_campaign,
)
from .model import (
    ATTEMPTS_MAX,
    BATCH,
    CLAIM_MAX,
    PAYLOAD_BYTES_MAX,
    AddEndpoint,
    Campaign,
    Campaigns,
    CampaignState,
    Choices,
    Choose,
    Claim,
    Claimed,
    Deliver,
    Delivered,
    Draft,
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
    Push,
    PushKey,
    QueueBatch,
    Queued,
    Removed,
    RemoveEndpoint,
    Result,
    RunCampaigns,
    SetTopic,
    StartCampaign,
    SteerCampaign,
    Topics,
    Unread,
    Work,
)
from .providers import (
    MessagingSettings,
    Pusher,
    Receipt,
)
