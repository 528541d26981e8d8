"""Messages to people, as others may name them: written down once, composed by the front end, sent by a provider.

    send ──▶ waiting ──▶ sent
               │ ├──▶ refused      the provider will never take it
               │ ├──▶ failed       the provider could not take it, again and again
               │ └──▶ erased       whom it was for is forgotten
               └────▶ suppressed   the address gets none, or the front end sends none of this kind

A message is written down in the transaction of whoever sends it, once for each reference; nobody waits for a provider
there. It is delivered at least once: a process that is killed between the provider's answer and the note of it has it
sent again with the same id, by which mail servers and their readers tell. Whether its address gets any is asked again
right before each try.
"""

# pyright: reportUnusedImport=false

from .addresses import (
    AddressForgotten,
    EraseAddress,
    OptIn,
    OptOut,
    Preference,
    Topic,
    erase_address,
    opt_in,
    opt_out,
)
from .forgetting import forget
from .messages import (
    ATTEMPTS_MAX,
    BATCH_MAX,
    Attachment,
    BadCursor,
    Claimed,
    ClaimedMessage,
    ClaimMessages,
    Content,
    Delivered,
    DeliverMessages,
    Draft,
    Due,
    EndDeliveries,
    Ended,
    ForgetContent,
    Forgotten,
    GetMessage,
    HasDue,
    Item,
    ListMessages,
    Message,
    MessageEnded,
    MessageLog,
    MessagePage,
    MessageState,
    Result,
    Send,
    Try,
    UnknownMedium,
    UnknownMessage,
    claim_messages,
    compose,
    deliver_messages,
    end_deliveries,
    forget_content,
    get_message,
    has_due,
    list_messages,
    send,
)
from .senders import Letter, NotificationSettings, Receipt, Sender, Senders, connected, quiet
