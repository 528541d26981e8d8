"""The manifest of webhooks."""

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Every, Gauge, Guide, Job, Outlet, Page, Personal, Resource

from . import api
from .service import endpoints
from .service.sender import WebhookSender, WebhookSettings, sender_at

PAGES = "isthmus.packs.webhooks.pages"

PACK = Pack(
    name="webhooks",
    owner="integration team",
    api=api,
    service=(endpoints,),
    migrations="isthmus.packs.webhooks:migrations",
    brings=(
        Personal(
            because="events are sent as they are kept, where they are forgotten; a secret is nobody's name",
            purposes={"identifier": "secrets of endpoints, marked so that no log or recording has them"},
        ),
        Guide(title="Webhooks", file="isthmus.packs.webhooks:guide.md"),
        Resource(kind=WebhookSender, make=sender_at, settings=WebhookSettings),
        Outlet(
            name="webhooks.send",
            of=WebhookSender,
            run=WebhookSender.run,
            takes="select name as who, types from webhooks.endpoint where not is_gone",
        ),
        Job(name="webhooks.pause-failing", when=Every(seconds=30), calls=api.pause_failing),
        Gauge(
            name="webhook_deliveries",
            help="Events on their way to endpoints, by state: waiting, or dead letters.",
            labels=("front_end", "endpoint", "state"),
            sql="""
                select front_end, endpoint, state, count(*) as value from webhooks.delivery
                where state <> 'done' group by 1, 2, 3""",
        ),
        Gauge(
            name="webhook_endpoint_paused",
            help="1 where nothing is sent to an endpoint any more.",
            labels=("front_end", "endpoint"),
            sql="select front_end, name as endpoint, (state = 'paused')::int as value from webhooks.endpoint",
        ),
        Commands(
            name="webhooks",
            help="Addresses that events are sent to, and what was sent.",
            at="isthmus.packs.webhooks.commands:commands",
            over="platform",
        ),
        Page(
            path="/webhooks",
            menu="Webhooks",
            at=f"{PAGES}:show",
            template="webhooks.html",
            needs=api.list_endpoints,
        ),
        Page(path="/webhooks", at=f"{PAGES}:act", template="webhooks.html", needs=api.list_endpoints, is_form=True),
    ),
    conditions=(
        Condition(
            name="webhooks.signed",
            sentence="Every endpoint has a secret that holds.",
            sql="""
                select e.front_end, e.name from webhooks.endpoint e where not exists (
                    select from webhooks.secret s
                    where s.front_end = e.front_end and s.endpoint = e.name and s.until = 'infinity')
                limit 20""",
        ),
    ),
)
