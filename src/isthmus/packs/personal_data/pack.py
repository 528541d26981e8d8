"""The manifest of personal data."""

from __future__ import annotations

from isthmus.kernel import Pack
from isthmus.manifest import Commands, FrontEndCheck, Keeps, Page, Personal, Resource, clear
from isthmus.manifest.actions import READ_PERSONAL
from isthmus.personal import Pseudonyms
from isthmus.sealing import Seals

from . import api
from .service import keys
from .service.pseudonyms import pseudonyms_at
from .service.register import Registry, front_end_problems, registry_at

PACK = Pack(
    name="personal-data",
    owner="security team",
    api=api,
    service=(keys,),
    migrations="isthmus.packs.personal_data:migrations",
    brings=(
        Resource(kind=Registry, make=registry_at, settings=api.PersonalSettings, in_shadow=lambda: None),
        Resource(kind=Pseudonyms, make=pseudonyms_at, settings=api.PersonalSettings),
        Resource(
            kind=Seals,
            make=keys.keys_at,
            settings=api.PersonalSettings,
            providers="envelope",
            built_in={"file": "isthmus.packs.personal_data.service.envelopes:FILE"},
        ),
        Personal(
            forgets=api.forget,
            purposes={"email": "to find what is held of them"},
            keeps=(
                Keeps(
                    table="personal_data.key",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"subject": "identifier"},
                    why="what is kept encrypted of a person opens by it, and by nothing once it is destroyed",
                    until="until the person is erased",
                    whose="subject = any($1)",
                    hidden=("wrapped",),
                ),
            ),
        ),
        FrontEndCheck(problems=front_end_problems),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.personal_data.commands:commands",
            over="platform",
        ),
        Page(
            path="/personal-data",
            menu="Personal data",
            group="Security",
            at="isthmus.packs.personal_data.pages:show",
            template="register.html",
            action=READ_PERSONAL,
        ),
    ),
)
