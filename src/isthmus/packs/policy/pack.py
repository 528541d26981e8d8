"""The manifest of policy."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack, ports
from isthmus.manifest import Commands, FrontEndCheck, Page, Resource, Upkeep

from . import api
from .service import asked
from .service.nodes import PolicySettings, policies_at
from .service.policies import Policies, front_end_problems

LOOK_S = 5.0  # a changed file counts so soon

PACK = Pack(
    name="policy",
    owner="security team",
    api=api,
    service=(asked,),
    migrations="isthmus.packs.policy:migrations",
    brings=(
        Resource(kind=ports.Guard, make=policies_at, settings=PolicySettings, in_shadow=lambda: None),
        Upkeep(name="policy.look", every_s=LOOK_S, of=ports.Guard, run=Policies.look),
        FrontEndCheck(problems=front_end_problems, is_of_each_server=True),
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
    conditions=(
        Condition(
            name="policy.same-everywhere",
            sentence="Every server decides by the policies that its files say, and all servers by the same ones.",
            sql="""
                select host, pid, policies, trouble from policy.node as one
                where seen_at > now() - interval '1 minute' and (trouble <> '' or exists (
                    select from policy.node as other
                    where other.seen_at > now() - interval '1 minute' and other.policies <> one.policies
                        and greatest(other.changed_at, one.changed_at) < now() - interval '2 minutes'))""",
        ),
    ),
)
