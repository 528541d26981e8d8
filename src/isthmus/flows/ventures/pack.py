"""The manifest of ventures beside the platform."""

from __future__ import annotations

from isthmus.kernel import Pack
from isthmus.manifest import Commands, Every, Job, Page, Personal
from isthmus.markings import Combined
from isthmus.packs.venture import api as venture

from . import api
from .service import checking, pulling

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
        Commands(
            name="venture",
            help="Businesses outside: their charters, what they owe, where they stand.",
            at="isthmus.flows.ventures.commands:commands",
            over="platform",
        ),
    ),
)  # fmt: skip
