"""Links by e-mail, as calls of a front end ask for them; and forgetting."""

from __future__ import annotations

from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten

from .. import api, rules, storage
from .accounts import Accounts


@implements(api.ask_for_link)
async def ask_for_link(ask: api.AskForLink, ctx: Context) -> api.Asked:
    address, link_id = rules.address_of(ask.address), ctx.new_id()
    if await storage.add_link(ctx.session, ctx.front_end, link_id, address, ask.interaction):
        ctx.emit(api.LinkAsked(link_id=link_id))
    return api.Asked()


@implements(api.make_link)
async def make_link(ask: api.MakeLink, ctx: Context) -> api.Link:
    accounts = ctx.resource(Accounts)
    address = await storage.link_address(ctx.session, ask.link_id)
    if address is None:
        raise api.UnknownLink(link_id=ask.link_id)
    text = rules.link_text(ask.link_id, accounts.key.derived("links"))
    return api.Link(address=address, url=f"{accounts.issuer}/link?link={text}", minutes=api.LINK_S // 60)


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    await storage.forget(ctx.session, [one.strip().lower() for one in ask.emails])
    return Forgotten()
