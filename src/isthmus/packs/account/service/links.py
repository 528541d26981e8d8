"""Links by e-mail, as calls of a front end ask for them; and forgetting."""

from __future__ import annotations

from isthmus.checks import NOBODY, Watching
from isthmus.kernel import Context, implements
from isthmus.personal import Forget, Forgotten
from isthmus.sealing import UNSEALED, Seals

from .. import api, rules, storage
from .accounts import Accounts

TRIAL_DOMAIN = "trial.invalid"  # no mail ever reaches it (RFC 2606)


@implements(api.ask_for_link)
async def ask_for_link(ask: api.AskForLink, ctx: Context) -> api.Asked:
    address, link_id = rules.address_of(ask.address), ctx.new_id()
    if await storage.add_link(ctx.session, ctx.front_end, link_id, address, ask.interaction):
        ctx.emit(api.LinkAsked(link_id=link_id))
    if await ctx.resource(Watching, NOBODY).is_on(ctx.front_end, "sign-in"):
        ctx.emit(api.SignInBegun(link_id=link_id, address=address))
    return api.Asked()


@implements(api.make_link)
async def make_link(ask: api.MakeLink, ctx: Context) -> api.Link:
    accounts = ctx.resource(Accounts)
    address = await storage.link_address(ctx.session, ask.link_id)
    if address is None:
        raise api.UnknownLink(link_id=ask.link_id)
    text = rules.link_text(ask.link_id, accounts.key.derived("links"))
    return api.Link(address=address, url=f"{accounts.issuer}/link?link={text}", minutes=api.LINK_S // 60)


@implements(api.describe_provider)
async def describe_provider(ask: api.DescribeProvider, ctx: Context) -> api.Provider:
    accounts = ctx.resource(Accounts)
    own = accounts.settings.clients.get(ask.client)
    is_secure = accounts.issuer.startswith("https:")
    return api.Provider(
        issuer=accounts.issuer,
        redirects=own.redirects if own else (),
        asked_cookie=rules.cookie_name(rules.ASKED, is_secure=is_secure),
        front_end=own.front_end if own else "",
    )


@implements(api.make_trial_link)
async def make_trial_link(ask: api.MakeTrialLink, ctx: Context) -> api.Link:
    accounts, link_id = ctx.resource(Accounts), ctx.new_id()
    address = f"{ask.client}@{TRIAL_DOMAIN}"
    await storage.add_trial_link(ctx.session, ctx.front_end, link_id, address, ask.interaction)
    text = rules.link_text(link_id, accounts.key.derived("links"))
    return api.Link(address=address, url=f"{accounts.issuer}/link?link={text}", minutes=api.LINK_S // 60)


@implements(api.find_unknown_accounts)
async def find_unknown_accounts(ask: api.FindUnknownAccounts, ctx: Context) -> api.UnknownAccounts:
    return api.UnknownAccounts(accounts=await storage.unknown_accounts(ctx.session, ask.client, ask.accounts))


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    addresses = [one.strip().lower() for one in ask.emails]
    seals = ctx.resource(Seals, UNSEALED)
    hashes = [hashed for one in addresses if (hashed := await seals.hashed(one))]
    ids = await storage.forget(ctx.session, addresses, hashes)
    return Forgotten(references=tuple(map(storage.subject_of, ids)))
