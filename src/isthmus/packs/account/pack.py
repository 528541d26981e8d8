"""The manifest of accounts."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Personal, Resource, Site, Upkeep

from . import api
from .service import links
from .service.accounts import Accounts, AccountSettings, accounts_at

PACK = Pack(
    name="account",
    owner="security team",
    api=api,
    service=(links,),
    migrations="isthmus.packs.account:migrations",
    brings=(
        Resource(kind=Accounts, make=accounts_at, settings=AccountSettings),
        Site(path="/account", at="isthmus.packs.account.pages.site:site"),
        Upkeep(name="account.keep-keys", every_s=600, of=Accounts, run=Accounts.keep_keys),
        Upkeep(name="account.notify", every_s=2, of=Accounts, run=Accounts.notify),
        Personal(forgets=api.forget),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.account.commands:commands",
            over="database",
        ),
    ),
    conditions=(
        Condition(
            name="account.told-soon",
            sentence="Shops hear that a session has ended; none has been asked in vain for all of its tries.",
            sql="select client, count(*) from account.notice where tries > 5 group by client limit 20",
        ),
    ),
)
