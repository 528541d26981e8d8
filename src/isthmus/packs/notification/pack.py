"""The manifest of notification."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Gauge, Job, Keeps, Personal, Resource, clear

from . import api, entities
from .service import addresses, forgetting, messages

# an address is known again by its hash, as `rules.address_hash` makes it
OF_ADDRESS = r"""address_hash in (select sha256(convert_to(front_end, 'UTF8') || '\x00'::bytea
    || convert_to(medium, 'UTF8') || '\x00'::bytea || convert_to(one, 'UTF8')) from unnest($2::text[]) as one)"""

PACK = Pack(
    name="notification",
    owner="notifications",
    api=api,
    service=(messages, addresses, forgetting),
    migrations="isthmus.packs.notification:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={
                "identifier": "to send a message to its address, and none to who wants none",
                "free-text": "what a message says, and what became of it",
            },
            keeps=(
                Keeps(
                    table="notification.message",
                    in_the_clear=clear.PASSES,
                    columns={
                        "address": "identifier",
                        "subject": "free-text",
                        "body": "free-text",
                        "html": "free-text",
                        "attachments": "free-text",
                    },
                    why="to send it, and to answer what was written to whom",
                    until="addresses and texts as [settings.notification] says, or until the person is erased",
                    whose=f"""member_id::text = any($1) or lower(address) = any($2) or {OF_ADDRESS}
                        or split_part(reference, '/', 2) = any($1)""",
                    leads_to=("message_id::text",),
                    hidden=("address_hash",),
                ),
                Keeps(
                    table="notification.try",
                    in_the_clear=clear.REMARK,
                    columns={"reason": "free-text"},
                    why="what the provider said of a message",
                    until="until the person is erased",
                    whose="message_id::text = any($1)",
                ),
                Keeps(
                    table="notification.suppression",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"address_hash": "identifier"},
                    why="who wants no messages of a topic gets none",
                    until="for good: who is known by no more than this must not be written to again",
                    whose=OF_ADDRESS.replace("medium", "'email'"),
                    hidden=("address_hash",),
                ),
            ),
        ),
        Resource(
            kind=api.Senders,
            make=api.connected,
            settings=api.NotificationSettings,
            providers="notification",
            built_in={"nobody": "isthmus.packs.notification.api.senders:FOLDER"},
            in_shadow=api.quiet,
            stands_alone=True,
        ),
        Gauge(
            name="messages_waiting",
            help="Messages to people that are not delivered yet.",
            sql="select front_end, count(*) as value from notification.message where state = 'waiting' group by 1",
        ),
        Job(name="notification.deliver", when=Every(seconds=5), calls=api.deliver_messages),
        Job(name="notification.forget", when=Every(seconds=3600), calls=api.forget_content),
    ),
    conditions=(
        Condition(
            name="notification.sent-is-in-the-log",
            sentence="A message that was sent has a try that says so.",
            sql="""
                select m.front_end, m.message_id from notification.message m
                where m.state = 'sent' and not exists (
                    select from notification.try t
                    where t.front_end = m.front_end and t.message_id = m.message_id and t.outcome = 'sent')
                limit 20""",
        ),
        Condition(
            name="notification.forgotten-is-forgotten",
            sentence="A message whose reader is forgotten has no address and no text.",
            sql="""
                select front_end, message_id from notification.message
                where (state = 'erased' or address is null) and (address is not null or subject || body || html <> ''
                    or attachments <> '[]')
                limit 20""",
        ),
    ),
)
