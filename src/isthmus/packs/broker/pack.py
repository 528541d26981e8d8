"""The manifest of the broker."""

from isthmus.kernel import Pack
from isthmus.manifest import Guide, Outlet, Personal, Resource

from . import api
from .service import taking
from .service.jetstream import Broker, BrokerSettings, broker_at

PACK = Pack(
    name="broker",
    owner="integration team",
    api=api,
    service=(taking,),
    brings=(
        Personal(
            because="events are sent as they are kept, where they are forgotten; the pack has no tables",
            purposes={"free-text": "what another system says of somebody is passed on to who subscribed to it"},
        ),
        Guide(title="Broker", file="isthmus.packs.broker:guide.md"),
        Resource(kind=Broker, make=broker_at, settings=BrokerSettings),
        Outlet(
            name="broker.carry",
            of=Broker,
            run=Broker.run,
            takes="select name as who, array['*'] as types from isthmus.consumer where name = 'broker'",
        ),
    ),
)
