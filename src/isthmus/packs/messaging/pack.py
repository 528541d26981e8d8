"""The manifest of messaging."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Daily, Every, Gauge, Job, Keeps, Page, Personal, Resource, Site, clear

from . import api, entities
from .service import campaigns, delivering, members
from .service.pushers import Pushers, pushers_at, quiet
from .storage import sealing

PAGES = "isthmus.packs.messaging.pages"
ERASED = "until the person is erased"
OF_MEMBER = "member_id::text = any($1)"

PACK = Pack(
    name="messaging",
    owner="mobile team",
    api=api,
    service=(members, campaigns, delivering),
    migrations="isthmus.packs.messaging:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Personal(
            forgets=api.forget,
            purposes={
                "identifier": "to reach a member at their devices, and to push nothing to who wants nothing",
                "free-text": "what is said to members",
            },
            keeps=(
                Keeps(
                    table="messaging.endpoint",
                    in_the_clear=clear.DEVICE,
                    columns={"member_id": "identifier", "address": "identifier", "device_id": "identifier"},
                    why="to reach a member at their devices",
                    until=ERASED,
                    whose=OF_MEMBER,
                    hidden=("p256dh", "auth"),
                ),
                Keeps(
                    table="messaging.message",
                    in_the_clear=clear.LEADS_NOWHERE,
                    sealed=sealing.SEALED,
                    columns={"member_id": "identifier", "title": "free-text", "body": "free-text"},
                    why="a member's inbox",
                    until=ERASED,
                    whose=OF_MEMBER,
                    leads_to=("message_id::text",),
                ),
                Keeps(
                    table="messaging.topic_reader",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member_id": "identifier"},
                    why="what a member follows",
                    until=ERASED,
                    whose=OF_MEMBER,
                ),
                Keeps(
                    table="messaging.opt_out",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member_id": "identifier"},
                    why="what a member wants nothing of",
                    until=ERASED,
                    whose=OF_MEMBER,
                ),
                Keeps(
                    table="messaging.reader",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"member_id": "identifier"},
                    why="in which zone a member's night is",
                    until=ERASED,
                    whose=OF_MEMBER,
                ),
                Keeps(
                    table="messaging.pushed",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"subject": "identifier"},
                    why="to push a person no more than they bear: a hash, which names nobody",
                    until="two days",
                    unknown="it is a hash of who a person is in the group, and gone in two days",
                ),
            ),
        ),
        Resource(
            kind=Pushers,
            make=pushers_at,
            settings=api.MessagingSettings,
            providers="messaging",
            in_shadow=quiet,
            stands_alone=True,
        ),
        Site(path="/messaging", at=f"{PAGES}.site:site"),
        Job(name="messaging.run-campaigns", when=Every(seconds=2), calls=api.run_campaigns),
        Job(name="messaging.deliver", when=Every(seconds=1), calls=api.deliver),
        Job(name="messaging.prune", when=Daily(at="03:20"), calls=api.prune),
        Gauge(
            name="pushes_waiting",
            help="Pushes that are due and not sent yet.",
            labels=("front_end",),
            sql="""
                select front_end, count(*) as value from messaging.delivery
                where state = 'waiting' and due_at <= now() group by 1""",
        ),
        Commands(
            name="campaigns",
            help="What is pushed to many, and what came of it.",
            at="isthmus.packs.messaging.commands:commands",
            over="platform",
        ),
        Page(
            path="/campaigns",
            menu="Campaigns",
            group="Mobile",
            at=f"{PAGES}:show",
            template="campaigns.html",
            needs=api.list_campaigns,
        ),
        Page(path="/campaigns", at=f"{PAGES}:act", template="campaigns.html", needs=api.list_campaigns, is_form=True),
    ),
    conditions=(
        Condition(
            name="messaging.nothing-after-opt-out",
            sentence="Nothing waits to be pushed to who has opted out of it.",
            sql="""
                select d.front_end, d.message_id from messaging.delivery d
                join messaging.message m using (front_end, message_id)
                join messaging.opt_out o on o.front_end = m.front_end and o.member_id = m.member_id
                    and o.purpose in ('', m.purpose)
                where d.state = 'waiting' and d.due_at < now() - interval '1 hour' limit 20""",
        ),
        Condition(
            name="messaging.campaign-counted",
            sentence="A campaign has as many messages as it says, each member one.",
            sql="""
                select c.front_end, c.campaign_id from messaging.campaign c
                where c.messages < (select count(*) from messaging.message m where m.campaign_id = c.campaign_id)
                limit 20""",
        ),
    ),
)
