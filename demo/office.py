"""What people do beside the tills: they look, write to buyers, show pictures, keep lists on their phones and watch.

Little of that happens in a year, so each such call is recorded whole: what a pack said can be asked again of whatever
takes its place (`isthmus eject --check`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from demo import patience
from demo.load import CURRENCY, caller
from isthmus.app.platform import Running
from isthmus.flows.checkout import api as checkout
from isthmus.flows.invoices import api as invoices
from isthmus.flows.renewals import api as renewals
from isthmus.kernel import Capability, errors
from isthmus.packs.fulfilment import api as fulfilment
from isthmus.packs.invoicing import api as invoicing
from isthmus.packs.media import api as media
from isthmus.packs.messaging import api as messaging
from isthmus.packs.notification import api as notification
from isthmus.packs.reconciliation import api as reconciliation
from isthmus.packs.risk import api as risk
from isthmus.packs.subscription import api as subscription
from isthmus.packs.sync import api as sync
from isthmus.values import Address, money

A = TypeVar("A")
R = TypeVar("R")

SELLER: Final = "invoicing.name"  # who has none gives receipts alone
BUYERS: Final = 3  # of each business line, whom somebody has something to do with
HOME: Final = Address(recipient="A Buyer", street="1 Main Street", postcode="45202", city="Cincinnati", country="US")
SIDE: Final = 16  # pixels of a picture
_BOUGHT: Final = """
with latest as (
    select distinct on (member_id) order_id, member_id, placed_at from "order".orders
    where front_end = $1 and member_id is not null order by member_id, placed_at desc, order_id
)
select order_id, member_id, min(sku) as sku from latest join "order".lines using (order_id)
where lines.front_end = $1 group by order_id, member_id, placed_at order by placed_at desc, order_id limit $2
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk of a business line, with a buyer who bought something last."""

    running: Running
    code: str
    order_id: UUID
    member_id: UUID
    sku: str

    async def call(self, capability: Capability[A, R], ask: A) -> R:
        return await patience.call(self.running.platform, capability, ask, caller(self.code))


async def bill(desk: Desk) -> None:
    """Write the invoice that a buyer asks for where there are any, and find it again."""
    if SELLER not in desk.running.platform.release.line(desk.code).front_end.settings:
        return
    party = invoicing.Party(name="A Buyer", address=HOME)
    await desk.call(invoices.issue_for_order, invoices.IssueForOrder(order_id=desk.order_id, buyer=party))
    await desk.call(invoicing.list_invoices, invoicing.ListInvoices(subject=str(desk.order_id)))


async def deliver(desk: Desk) -> None:
    """Say what the same would come to at home, what bringing it costs, and when somebody could."""
    wanted = (checkout.BuyLine(sku=desk.sku, quantity=1),)
    with suppress(errors.Refusal):  # sold out meanwhile, or in shops alone: the page says so
        preview = checkout.PreviewOrder(currency=CURRENCY, lines=wanted, member_id=desk.member_id, address=HOME)
        await desk.call(checkout.preview_order, preview)
    lines = (fulfilment.DeliveryLine(sku=desk.sku, quantity=2),)
    quote = fulfilment.QuoteDelivery(lines=lines, amount=money(2_000, CURRENCY), address=HOME)
    await desk.call(fulfilment.quote_delivery, quote)
    await desk.call(fulfilment.list_methods, fulfilment.ListMethods())
    await desk.call(fulfilment.list_slots, fulfilment.ListSlots())


async def write(desk: Desk) -> None:
    """Send a letter, and see what has become of letters."""
    letter = notification.Send(
        kind="thanks", subject="Thank you", text="Come again.", reference=f"thanks-{desk.order_id}",
        address=f"buyer-{desk.member_id.hex[:12]}@example.org", member_id=desk.member_id,
    )  # fmt: skip
    await desk.call(notification.send, letter)
    await desk.call(notification.list_messages, notification.ListMessages())
    await desk.call(notification.get_message, notification.GetMessage(reference=letter.reference))


async def greet(desk: Desk) -> None:
    """Say something in the app, to whoever wants to hear of news."""
    await desk.call(messaging.opt_in, messaging.Choose(member_id=desk.member_id, purpose="news"))
    await desk.call(messaging.set_topic, messaging.SetTopic(member_id=desk.member_id, topic="tea"))
    draft = messaging.Draft(purpose="news", title="New on the shelf", body="Come and see.")
    notify = messaging.Notify(member_id=desk.member_id, reference=f"shelf-{desk.order_id}", draft=draft)
    await desk.call(messaging.notify, notify)
    await desk.call(messaging.list_inbox, messaging.ListInbox(member_id=desk.member_id))


async def show(desk: Desk) -> None:
    """Show a picture with the goods that were bought."""
    content = picture(zlib.crc32(desk.sku.encode()))
    files = desk.running.resource(media.MediaFiles)
    name, _ = files.named(content)
    await files.put(name, content)
    await desk.call(media.check_file, media.CheckFile(file=name, size=len(content)))
    await desk.call(media.note_file, media.NoteFile(file=name, size=len(content)))
    await desk.call(media.attach, media.Attach(subject=desk.sku, file=name, alt="What is in the box", width=SIDE))
    await desk.call(media.list_attached, media.ListAttached(subjects=(desk.sku,)))


async def match(desk: Desk) -> None:
    """Look for money that the bank and the books do not agree on."""
    await desk.call(reconciliation.list_differences, reconciliation.ListDifferences())
    await desk.call(reconciliation.list_files, reconciliation.ListFiles())


async def watch(desk: Desk) -> None:
    """Keep an eye on who is let in: somebody who asked to be left alone, and whatever waits for a decision."""
    mark = risk.Mark(kind="member", value=str(desk.member_id))
    await desk.call(risk.put_listed, risk.PutListed(list="asked-twice", mark=mark, why="called twice about a box"))
    await desk.call(risk.list_scenarios, risk.ListScenarios())
    await desk.call(risk.list_decisions, risk.ListDecisions())
    await desk.call(risk.list_reviews, risk.ListReviews())


async def renew(desk: Desk) -> None:
    """Take a subscription that begins in a year, if nobody thinks better of it."""
    lines = (subscription.SubscribedLine(sku=desk.sku, quantity=1),)
    wanted = subscription.Wanted(
        member_id=desk.member_id, currency=CURRENCY, lines=lines, every_days=28, address=HOME, delivery_method="post",
        first_at=datetime.now(UTC) + timedelta(days=365), token="ok",
    )  # fmt: skip
    taken = await desk.call(renewals.subscribe, wanted)
    one = subscription.OneSubscription(subscription_id=taken.subscription_id, reason="next year")
    await desk.call(subscription.pause, one)
    await desk.call(subscription.list_subscriptions, subscription.ListSubscriptions(member_id=desk.member_id))


async def note(desk: Desk) -> None:
    """Write a list on a phone, and read it on another."""
    collection, field = LISTS[desk.code]
    add = sync.Operation(sequence=1, collection=collection, document="next", kind="add", field=field, value=desk.sku)
    phone = f"phone-{desk.member_id}"
    await desk.call(sync.push, sync.PushOperations(client_id=phone, member_id=desk.member_id, operations=(add,)))
    await desk.call(sync.pull, sync.Pull(client_id=f"other-{phone}", member_id=desk.member_id))
    await desk.call(sync.list_conflicts, sync.ListConflicts(member_id=desk.member_id))


LISTS: Final = {"fresh": ("shopping-list", "items"), "market": ("wishes", "skus")}  # what is kept on phones there

Act = Callable[[Desk], Awaitable[None]]
ACTS: Final[tuple[tuple[Act, tuple[Capability[Any, Any], ...]], ...]] = (  # with what is called
    (bill, (invoices.issue_for_order, invoicing.list_invoices)),
    (deliver, (checkout.preview_order, fulfilment.quote_delivery, fulfilment.list_methods, fulfilment.list_slots)),
    (write, (notification.send, notification.list_messages, notification.get_message)),
    (greet, (messaging.opt_in, messaging.set_topic, messaging.notify, messaging.list_inbox)),
    (show, (media.check_file, media.note_file, media.attach, media.list_attached)),
    (match, (reconciliation.list_differences, reconciliation.list_files)),
    (watch, (risk.put_listed, risk.list_scenarios, risk.list_decisions, risk.list_reviews)),
    (renew, (renewals.subscribe, subscription.pause, subscription.list_subscriptions)),
    (note, (sync.push, sync.pull, sync.list_conflicts)),
)


def recorded() -> dict[str, float]:
    """Return the share of calls that is recorded of each capability that is called here: all of them."""
    return {one.name: 1.0 for _, called in ACTS for one in called}


async def work(running: Running, front_ends: Iterable[str]) -> None:
    """Do at each business line what it has the capabilities for, with those who bought last."""
    for code in front_ends:
        permitted = running.platform.release.line(code).permitted
        acts = [act for act, called in ACTS if permitted.issuperset(one.name for one in called)]
        async with running.database.platform() as session:
            bought = await session.fetch(_BOUGHT, code, BUYERS)
        for row in bought:
            desk = Desk(running, code, row["order_id"], row["member_id"], row["sku"])
            for act in acts:
                await act(desk)


def picture(colour: int) -> bytes:
    """Return a square of one colour as PNG."""
    row = b"\0" + (colour & 0xFFFFFF).to_bytes(3, "big") * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * SIDE)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
