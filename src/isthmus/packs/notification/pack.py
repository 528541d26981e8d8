"""The manifest of notification."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Every, Gauge, Job, Personal, Resource

from . import api, entities
from .service import addresses, forgetting, messages

PACK = Pack(
    name="notification",
    owner="notifications",
    api=api,
    service=(messages, addresses, forgetting),
    migrations="isthmus.packs.notification:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(forgets=api.forget),
        Resource(
            kind=api.Senders,
            make=api.connected,
            settings=api.NotificationSettings,
            providers="notification",
            built_in={"nobody": "isthmus.packs.notification.api.senders:FOLDER"},
            in_shadow=api.quiet,
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
                where (state = 'erased' or address is null) and (address is not null or subject || body || html <> '')
                limit 20""",
        ),
    ),
)
