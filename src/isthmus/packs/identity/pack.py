"""The manifest of identity."""

from __future__ import annotations

from dataclasses import replace

from isthmus.kernel import Condition, Pack
from isthmus.manifest import Commands, Keeps, Page, Personal, Resource, Upkeep, clear
from isthmus.manifest.actions import READ_PEOPLE, Action
from isthmus.manifest.sign_in import SignIn
from isthmus.manifest.signers import Signers

from . import api
from .service.signing import signing_keys_at
from .service.staff import IdentitySettings, Staff, staff_at

PAGES = "isthmus.packs.identity.pages"
SIGN_IN = f"{PAGES}:sign_in.html"

OF_STAFF = "'staff/' || person_id = any($1)"
KEEPS = (
    Keeps(
        table="identity.person",
        in_the_clear=clear.STAFF,
        columns={"name": "name", "address": "email"},
        why="who of staff may sign in, and who did what",
        until="for good: the audit log names them",
        whose="lower(address) = any($2)",
        leads_to=("'staff/' || person_id", "'staff-name/' || name"),
        hidden=("password", "totp", "totp_step"),
    ),
    Keeps(
        table="identity.relation",
        in_the_clear=clear.STAFF,
        columns={"given_by": "name"},
        why="who may do what with which part of a front end, and who said so",
        until="for good: it is how somebody came to do what the audit log has",
        whose=OF_STAFF,
    ),
    Keeps(
        table="identity.session",
        in_the_clear=clear.STAFF,
        columns={"address": "identifier", "agent": "free-text"},
        why="to show somebody their sign-ins, and to end them",
        until="until the sign-in ends",
        whose=OF_STAFF,
        hidden=("hash",),
    ),
    Keeps(
        table="identity.device",
        in_the_clear=clear.STAFF,
        columns={"agent": "free-text"},
        why="who guesses a password slows down themselves and not its owner",
        until="until all their sign-ins are ended at once",
        whose=OF_STAFF,
        hidden=("hash",),
    ),
    Keeps(
        table="identity.passkey",
        in_the_clear=clear.STAFF,
        columns={"agent": "free-text"},
        why="to sign in with it",
        until="until it is taken away",
        whose=OF_STAFF,
        hidden=("credential", "public_key"),
    ),
    Keeps(
        table="identity.signing_key",
        in_the_clear=clear.STAFF,
        columns={"label": "free-text"},
        why="to know who signed a deploy",
        until="for good: versions name the key that signed them",
        whose=OF_STAFF,
        hidden=("public_key",),
    ),
    Keeps(
        table="identity.login",
        in_the_clear=clear.STAFF,
        columns={"subject": "identifier"},
        why="who somebody is at the company's provider",
        until="as long as the person",
        whose=OF_STAFF,
    ),
)


def both(
    path: str,
    shown: str,
    sent: str,
    template: str,
    *,
    menu: str = "",
    is_open: bool = False,
    action: Action | None = None,
) -> tuple[Page, Page]:
    """Return a page with a form on it: as it is read, and what takes the form."""
    read = Page(
        path=path,
        at=f"{PAGES}.{shown}",
        template=f"{PAGES}:{template}",
        menu=menu,
        group="Security",
        is_open=is_open,
        action=action,
    )
    return read, replace(read, at=f"{PAGES}.{sent}", menu="", is_form=True)


PACK = Pack(
    name="identity",
    owner="security team",
    api=api,
    service=(),
    migrations="isthmus.packs.identity:migrations",
    brings=(
        Resource(kind=SignIn, make=staff_at, settings=IdentitySettings),
        Resource(kind=Signers, make=signing_keys_at),
        Personal(because="staff stay named in what they did; who leaves is let in no more", keeps=KEEPS),
        Upkeep(name="identity.prune", every_s=3600, of=SignIn, run=Staff.prune),
        Commands(
            name="security",
            help="Who may what, and what happened.",
            at="isthmus.packs.identity.commands:commands",
            over="database",
        ),
        *both("/sign-in", "signing_in:show", "signing_in:sign_in", "sign_in.html", is_open=True),
        *both("/sign-in/code", "signing_in:show_code", "signing_in:give_code", "code.html", is_open=True),
        *both("/sign-in/passkey", "signing_in:show_passkey", "signing_in:use_passkey", "passkey.html", is_open=True),
        *both("/sign-in/link", "signing_in:show_link", "signing_in:use_link", "link.html", is_open=True),
        Page(path="/sign-in/with/{provider}", at=f"{PAGES}.signing_in:go_to_provider", template=SIGN_IN, is_open=True),
        Page(path="/sign-in/back", at=f"{PAGES}.signing_in:come_back", template=SIGN_IN, is_open=True),
        Page(
            path="/sign-in/left/{provider}",
            at=f"{PAGES}.signing_in:leave_by_provider",
            template=SIGN_IN,
            is_form=True,
            is_open=True,
        ),
        Page(path="/sign-out", at=f"{PAGES}.signing_in:sign_out", template="", is_form=True),
        *both("/people", "people:show", "people:act", "people.html", menu="People", action=READ_PEOPLE),
        *both("/shares", "shares:show", "shares:act", "shares.html", menu="Shared with people", action=READ_PEOPLE),
        *both("/account", "account:show", "account:act", "account.html", menu="My account"),
    ),
    conditions=(
        Condition(
            name="identity.administered",
            sentence="Whoever could sign in once can be administered: an active owner of the platform is there.",
            sql="""
                select count(*) as people from identity.person where state = 'active'
                having count(*) > 0 and not exists (
                    select from identity.role join identity.person p using (person_id)
                    where role.front_end = '*' and role.role = 'owner' and p.state = 'active')""",
        ),
    ),
)
