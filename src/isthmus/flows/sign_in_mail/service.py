"""What the mails with links say, and to whom they go."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import Context, implements
from isthmus.language import ENGLISH, LANGUAGES, Catalogue, choose, mark
from isthmus.packs.account import api as account
from isthmus.packs.notification import api as notification

from . import api

SUBJECT: Final = mark("Your link to sign in")
OPEN: Final = mark("Open this link in the browser in which you asked for it, within {minutes} minutes:")
UNASKED: Final = mark("If you did not ask for it, you need not do anything.")
_TEXTS: Final = {one: Catalogue(("isthmus.flows.sign_in_mail",), one.locale) for one in LANGUAGES if one is not ENGLISH}


@implements(api.write_link)
async def write_link(ask: account.LinkAsked, ctx: Context) -> api.Written:
    if not ctx.caller.is_event_triggered:
        raise api.NotAnEvent
    try:
        link = await ctx.call(account.make_link, account.MakeLink(link_id=ask.link_id))
    except account.UnknownLink:
        return api.Written(is_written=False)
    language = ctx.plan.settings.get(api.LANGUAGE, "")
    opened = _written(OPEN, language).format(minutes=link.minutes)
    send = notification.Send(
        kind=api.KIND,
        topic="account",
        reference=f"link/{ask.link_id}",
        address=link.address,
        subject=_written(SUBJECT, language),
        text=f"{opened}\n\n{link.url}\n\n{_written(UNASKED, language)}",
    )
    await ctx.call(notification.send, send)
    return api.Written(is_written=True)


def _written(text: str, language: str) -> str:
    found = _TEXTS.get(choose(None, language))
    return found.get(text) if found else text
