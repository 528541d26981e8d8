"""The manifest of ventures beside the platform."""

from __future__ import annotations

from isthmus.kernel import Pack
from isthmus.manifest import Commands, Every, Job, Page, Personal, Resource
from isthmus.markings import Combined
from isthmus.packs.venture import api as venture

from . import api
from .service import checking, pulling
from .service.ladder import Audits, Ladder, ladder_at

VENTURES = Pack(
    name="ventures",
    owner="governance",
    api=api,
    service=(pulling, checking),
    metrics=(
        Combined(
            name="ventures.group-sales", plus=("order.net-sales", "venture.gross-sales"), unit="minor",
            doc="What buyers of front ends and of ventures paid, with tax, less what went back.",
        ),
    ),
    brings=(
        Resource(kind=Ladder, make=ladder_at, settings=Audits),
        Personal(because="it hands on what ventures send to the packs that keep it"),
        Job(name="ventures.pull", when=Every(seconds=300), calls=api.pull),
        Page(
            path="/ventures",
            menu="Ventures",
            group="Operate",
            at="isthmus.flows.ventures.pages:show",
            template="ventures.html",
            needs=venture.get_standing,
        ),
        Page(
            path="/ventures",
            at="isthmus.flows.ventures.pages:act",
            template="ventures.html",
            needs=venture.get_standing,
            is_form=True,
        ),
        Page(
            path="/ladder",
            menu="Ladder",
            group="Govern",
            at="isthmus.flows.ventures.pages:ladder",
            template="ladder.html",
            needs=venture.get_standing,
        ),
        Commands(
            name="venture",
            help="Businesses outside: their charters, what they owe, where they stand.",
            at="isthmus.flows.ventures.commands.group:commands",
            over="platform",
        ),
    ),
)  # fmt: skip
