"""The manifest of devices."""

from isthmus.kernel import Pack
from isthmus.manifest import Commands, Devices, Keeps, Page, Personal, Resource, clear

from . import api, entities, service, storage

PAGES = "isthmus.packs.devices.pages"

PACK = Pack(
    name="devices",
    owner="mobile team",
    api=api,
    service=(service,),
    migrations="isthmus.packs.devices:migrations",
    entities=entities.ENTITIES,
    metrics=entities.METRICS,
    brings=(
        Devices(cut_off=storage.CUT_OFF),
        Resource(kind=service.Sessions, make=service.sessions_at),
        Personal(
            forgets=api.forget,
            purposes={"identifier": "to know a device again, and to cut off those of somebody who has lost one"},
            keeps=(
                Keeps(
                    table="devices.device",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"device_id": "identifier", "member_id": "identifier", "session_id": "identifier"},
                    why="to know a device again, and whose it is",
                    until="until the person is erased",
                    whose="member_id = any($1)",
                    leads_to=("device_id",),
                ),
            ),
        ),
        Commands(
            name="devices",
            help="Devices of apps, and which of them are cut off.",
            at="isthmus.packs.devices.commands:commands",
            over="platform",
        ),
        Page(
            path="/devices",
            menu="Devices",
            group="Mobile",
            at=f"{PAGES}:show",
            template="devices.html",
            needs=api.list_devices,
        ),
        Page(path="/devices", at=f"{PAGES}:act", template="devices.html", needs=api.list_devices, is_form=True),
    ),
)
