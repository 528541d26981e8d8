"""The manifest of policy."""

from __future__ import annotations

from isthmus.kernel import Pack, ports
from isthmus.manifest import Commands, FrontEndCheck, Page, Resource

from . import api
from .service import asked
from .service.policies import PolicySettings, front_end_problems, policies_at

PACK = Pack(
    name="policy",
    owner="security team",
    api=api,
    service=(asked,),
    brings=(
        Resource(kind=ports.Guard, make=policies_at, settings=PolicySettings, in_shadow=lambda: None),
        FrontEndCheck(problems=front_end_problems),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.policy.commands:commands",
            over="platform",
        ),
        Page(
            path="/policies",
            menu="Policies",
            group="Security",
            at="isthmus.packs.policy.pages:show",
            template="policies.html",
            needs=api.decide,
        ),
    ),
)
