"""The manifest of accounts."""

from __future__ import annotations

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Keeps, Personal, Resource, SignedIn, Site, Upkeep, clear

from . import api, storage
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
        SignedIn(stands="select account.stands($1)"),
        Site(path="/account", at="isthmus.packs.account.pages.site:site"),
        Upkeep(name="account.keep-keys", every_s=600, of=Accounts, run=Accounts.keep_keys),
        Upkeep(name="account.notify", every_s=2, of=Accounts, run=Accounts.notify),
        Personal(
            forgets=api.forget,
            purposes={
                "email": "a link to it proves who signs in",
                "identifier": "the link itself: who has it signs in",
            },
            keeps=(
                Keeps(
                    table="account.account",
                    columns={"address": "email"},
                    why="one account for all shops of the group is known by it",
                    until="until the person is erased",
                    whose="address = any($2) or encode(address_hash, 'hex') = any($1) or account_id::text = any($1)",
                    leads_to=("account_id::text", "'account:' || account_id"),
                    addresses="address",
                    hidden=("address_hash",),
                    sealed=(storage.SEALED,),
                ),
                Keeps(
                    table="account.link",
                    in_the_clear=clear.PASSES,
                    columns={"address": "email"},
                    why="a link to it proves who signs in",
                    until="a day",
                    whose="address = any($2)",
                    hidden=("interaction",),
                ),
                Keeps(
                    table="account.session",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"account_id": "identifier"},
                    why="who is signed in stays so",
                    until="until they sign out, or the sign-in ends",
                    whose="account_id::text = any($1)",
                    leads_to=("session_id::text",),
                    hidden=("hash",),
                ),
                Keeps(
                    table="account.family",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"client": "identifier"},
                    why="a shop stays signed in, and hears of the end of it",
                    until="until they sign out, or the sign-in ends",
                    whose="session_id::text = any($1)",
                ),
                Keeps(
                    table="account.consent",
                    in_the_clear=clear.LEADS_NOWHERE,
                    columns={"client": "identifier"},
                    why="which shops they allowed to know them",
                    until="until the person is erased",
                    whose="account_id::text = any($1)",
                ),
            ),
        ),
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
