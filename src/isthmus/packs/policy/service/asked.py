"""Questions about who may, answered from the active policies."""

from __future__ import annotations

from typing import cast

from isthmus.kernel import Context, implements, ports

from .. import api
from .policies import Policies


@implements(api.decide)
async def decide(ask: api.Decide, ctx: Context) -> api.Decision:
    return _policies(ctx).decide(ask.who, ask.action, ctx.front_end, _rules(ctx), ask.via)


@implements(api.list_actions)
async def list_actions(ask: api.ListActions, ctx: Context) -> api.Actions:
    policies, rules = _policies(ctx), _rules(ctx)
    names = sorted(policies.capabilities)
    allowed = (one for one in names if policies.decide(ask.who, one, ctx.front_end, rules, ask.via).is_allowed)
    return api.Actions(actions=tuple(allowed))


@implements(api.list_principals)
async def list_principals(ask: api.ListPrincipals, ctx: Context) -> api.Principals:
    policies, rules = _policies(ctx), _rules(ctx)

    def may(who: api.Who) -> bool:
        return policies.decide(who, ask.action, ctx.front_end, rules, ask.via).is_allowed

    return api.Principals(
        roles=tuple(role for role in api.ROLES if may(api.Who(person="anybody", roles=(role,)))),
        is_for_clients=may(api.Who(client="any")),
        is_for_platform=may(api.Who(is_platform=True)),
    )


def _policies(ctx: Context) -> Policies:
    return cast(Policies, ctx.resource(ports.Guard))


def _rules(ctx: Context) -> str:
    return ctx.plan.settings.get(api.RULES, "")
