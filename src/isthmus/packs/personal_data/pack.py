"""The manifest of personal data."""

from __future__ import annotations

from isthmus.kernel import Pack
from isthmus.manifest import Commands, FrontEndCheck, Page, Resource
from isthmus.manifest.actions import READ_PERSONAL
from isthmus.personal import Pseudonyms

from . import api
from .service.pseudonyms import PersonalSettings, pseudonyms_at
from .service.register import Registry, front_end_problems, registry_at

PACK = Pack(
    name="personal-data",
    owner="security team",
    api=api,
    service=(),
    brings=(
        Resource(kind=Registry, make=registry_at, in_shadow=lambda: None),
        Resource(kind=Pseudonyms, make=pseudonyms_at, settings=PersonalSettings),
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
