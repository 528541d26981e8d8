"""One's own account: where one is signed in, the password, the second factor."""

from __future__ import annotations

from typing import Final

from isthmus.kernel import errors
from isthmus.language import mark
from isthmus.manifest.actions import EVERYWHERE
from isthmus.pages import BIGINT_MAX, Asked, Client, GoTo, Shown
from isthmus.values import whole_number

from .. import api
from ..service import entering, passkeys, signing
from ..service.staff import found_person, staff_of
from ..storage import people as storage

KEY_STATES: Final = (mark("good"), mark("ended"), mark("revoked"))  # as the page shows them
DONE: Final = {
    "sign-out": mark("The other sign-in has ended."),
    "others": mark("All other sign-ins have ended."),
    "password": mark("The password is another one, and all other sign-ins have ended."),
    "add-passkey": mark("The passkey was added."),
    "remove-passkey": mark("The passkey was removed."),
    "add-signing-key": mark("The key signs for you from now on."),
    "revoke-signing-key": mark("The key signs nothing any more."),
    "drop-codes": mark("Sign-ins ask for no code any more."),
}


async def show(asked: Asked, client: Client) -> Shown:
    return await _shown(asked, client)


async def act(asked: Asked, client: Client) -> Shown | GoTo:
    """Do one of the acts of the page for who is signed in."""
    what = asked.form.get("act", "")
    try:
        codes = await _done(what, asked, client)
    except errors.Refusal as refused:
        return await _shown(asked, client, refused=refused)
    if what == "set-codes":
        return await _shown(asked, client, codes=codes)
    return GoTo("/account", {"done": what})


async def _done(what: str, asked: Asked, client: Client) -> tuple[str, ...]:
    staff, by, form = staff_of(client), client.caller(EVERYWHERE), asked.form
    match what:
        case "sign-out":
            number = whole_number(form.get("session_id"), 1, BIGINT_MAX)
            await staff.sign_out(by.person, by, session_id=number or -1)
        case "others":
            await staff.sign_out(by.person, by, but=asked.session)
        case "password":
            await entering.change_password(staff, by.person, form.get("old", ""), form.get("new", ""), asked.session)
        case "add-passkey":
            await passkeys.add(staff, by.person, asked.site, form.get("credential", ""), asked.agent)
        case "remove-passkey":
            await passkeys.remove(staff, by.person, whole_number(form.get("number"), 0, BIGINT_MAX) or 0)
        case "add-signing-key":
            replaces = form.get("replaces", "")
            label = form.get("label", "")
            await signing.add(staff, by.person, form.get("public_key", ""), by, label=label, replaces=replaces)
        case "revoke-signing-key":
            await signing.revoke(staff, form.get("key", ""), by, of=by.person)
        case "set-codes":
            return await entering.set_totp(staff, by.person, form.get("secret", ""), form.get("code", ""))
        case "drop-codes":
            await entering.drop_totp(staff, by.person, form.get("code", ""))
        case other:
            raise errors.BadAsk(f"{other[:40]!r} cannot be done here", remedy="use one of the page's buttons")
    return ()


async def _shown(
    asked: Asked, client: Client, *, refused: errors.Refusal | None = None, codes: tuple[str, ...] = ()
) -> Shown:
    staff, name = staff_of(client), client.caller(EVERYWHERE).person
    async with staff.database.platform() as session:
        person = await found_person(session, name)
        sessions = await storage.sessions(session, name, asked.session)
        held = await storage.passkeys(session, person["person_id"])
    secret, uri = entering.new_totp(name)
    return {
        "name": name,
        "address": person["address"] or "",
        "roles": storage.roles_of(person),
        "sessions": sessions,
        "has_password": person["password"] is not None,
        "has_codes": person["totp"] is not None,
        "passkeys": held,
        "signing_keys": await signing.keys_of(staff, name),
        "options": await passkeys.options_to_add(staff, name, asked.site),
        "secret": secret,
        "uri": uri,
        "codes": codes,
        "done": DONE.get(asked.query_params.get("done", ""), ""),
        "password_min": api.PASSWORD_MIN,
        "refused": refused,
    }
