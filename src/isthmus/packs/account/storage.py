"""Accounts, sessions and tokens in PostgreSQL. Times are the database's, so that no server's clock counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from isthmus.kernel import ports
from isthmus.manifest.actions import EVERYWHERE
from isthmus.sealing import Sealed, Seals

from . import api, rules

TABLE: Final = "account.account"
SEALED: Final = Sealed(
    column="address",
    into="sealed",
    subject="'account:' || account_id",
    front_end=f"'{EVERYWHERE}'",
    hashed="address_hash",
)

Session = ports.Session
Row = ports.Row

INTERACTION_S: Final = 1_800
SESSION_S: Final = 14 * 86_400
CODE_S: Final = 60
FAMILY_S: Final = 60 * 86_400
KEY_OLD_S: Final = 30 * 86_400
KEY_WAITS_S: Final = 3_600  # a key is shown for so long before it signs: longer than shops remember the keys
KEY_SHOWN_S: Final = 2 * 86_400  # after the next one signs: longer than anything that it signed is good
NOTICE_TRIES: Final = 8

_LINKS: Final = """
    select count(*) from account.link
    where address = $1 and made_at > now() - make_interval(secs => $2)"""
_ADD_LINK: Final = "insert into account.link (link_id, front_end, address, interaction) values ($1, $2, $3, $4)"
_LINK: Final = f"""
    select address from account.link
    where link_id = $1 and used_at is null and made_at > now() - interval '{api.LINK_S} seconds'"""
_USE_LINK: Final = f"""
    update account.link set used_at = now()
    where link_id = $1 and interaction = $2 and used_at is null
      and made_at > now() - interval '{api.LINK_S} seconds'
    returning address"""
_ACCOUNT: Final = "select account_id from account.account where address = $1 or address_hash = $2"
_ADD_ACCOUNT: Final = """
    insert into account.account (account_id, address, sealed, address_hash) values ($1, $2, $3, $4)"""
_KNOWN: Final = """
    select s.session_id, s.account_id, a.address, a.sealed, extract(epoch from s.made_at)::bigint as signed_at,
        extract(epoch from now() - s.made_at)::bigint as age_s
    from account.session s join account.account a using (account_id) where s.hash = $1 and s.ends_at > now()"""
_INTERACTION: Final = "select client, request from account.interaction where hash = $1 and ends_at > now()"
_CONSENT: Final = "select scope from account.consent where account_id = $1 and client = $2"
_ADD_CONSENT: Final = """
    insert into account.consent (account_id, client, scope) values ($1, $2, $3)
    on conflict (account_id, client) do update set scope = excluded.scope, given_at = now()"""
_ADD_CODE: Final = f"""
    with family as (
        insert into account.family (session_id, client, scope, ends_at)
        values ($1, $2, $3, now() + interval '{FAMILY_S} seconds') returning family_id)
    insert into account.code (hash, family_id, redirect_uri, challenge, nonce, ends_at)
    select $4, family_id, $5, $6, $7, now() + interval '{CODE_S} seconds' from family"""
_FAMILY: Final = """
    f.family_id, f.client, f.scope, f.ended, s.session_id, s.account_id, a.address, a.sealed,
    extract(epoch from s.made_at)::bigint as signed_at,
    f.ended = '' and f.ends_at > now() and s.ends_at > now() as is_good
    from account.family f join account.session s using (session_id) join account.account a using (account_id)"""
_CODE: Final = f"""
    select c.redirect_uri, c.challenge, c.nonce, c.used_at is not null as is_used, c.ends_at > now() as is_fresh,
        {_FAMILY} join account.code c using (family_id) where c.hash = $1 for update of c, f"""
_REFRESH: Final = f"""
    select r.used_at is not null as is_used, {_FAMILY} join account.refresh r using (family_id)
    where r.hash = $1 for update of r, f"""
_GOOD: Final = f"select {_FAMILY} where f.family_id = $1"
_NOTICES: Final = """
    insert into account.notice (session_id, account_id, client)
    select distinct session_id, account_id, client from account.family join account.session using (session_id)
    where session_id = $1 on conflict do nothing"""
_DUE: Final = f"""
    update account.notice set tries = tries + 1,
        next_at = now() + make_interval(secs => 5 * 2 ^ least(tries, 10))
    where (session_id, client) in (
        select session_id, client from account.notice where next_at <= now() and tries < {NOTICE_TRIES}
        order by next_at limit 50 for update skip locked)
    returning session_id, account_id, client"""
_KEYS: Final = """
    select kid, public from (
        select kid, public, made_at, lead(signs_at) over (order by signs_at, kid) as next_at from account.key) k
    where next_at is null or next_at > now() - make_interval(secs => $1) order by made_at"""
_SIGNING: Final = "select kid, sealed from account.key where signs_at <= now() order by signs_at desc, kid desc limit 1"
_ADD_KEY: Final = """
    insert into account.key (kid, sealed, public, signs_at) values ($1, $2, $3, now() + make_interval(secs => $4))"""
_PRUNE: Final = (
    "delete from account.interaction where ends_at < now()",
    "delete from account.link where made_at < now() - interval '1 day'",
    "delete from account.session where ends_at < now()",
    "delete from account.family where ends_at < now() or (ended <> '' and made_at < now() - interval '90 days')",
    f"delete from account.notice where tries >= {NOTICE_TRIES} and next_at < now()",
)


async def add_link(session: Session, front_end: str, link_id: UUID, address: str, interaction: str) -> bool:
    """Note that a link was asked for; false where too many were."""
    if await session.fetch_value(_LINKS, address, float(api.LINK_S)) >= api.LINKS_MAX:
        return False
    await session.execute(_ADD_LINK, link_id, front_end, address, interaction)
    return True


async def add_trial_link(session: Session, front_end: str, link_id: UUID, address: str, interaction: str) -> None:
    await session.execute(_ADD_LINK, link_id, front_end, address, interaction)


async def link_address(session: Session, link_id: UUID) -> str | None:
    """Return whom a link that is still good is for."""
    return await session.fetch_value(_LINK, link_id)


async def use_link(session: Session, link_id: UUID, interaction: str) -> str | None:
    """Use a link up where it was asked for by this browser; return its address."""
    return await session.fetch_value(_USE_LINK, link_id, interaction)


async def account_of(session: Session, address: str, seals: Seals) -> UUID:
    """Return the account of an address, made where there is none."""
    await session.execute("select pg_advisory_xact_lock(hashtextextended('account ' || $1, 0))", address)
    hashed = await seals.hashed(address, session)
    if (found := await session.fetch_value(_ACCOUNT, address, hashed)) is not None:
        return found
    account_id, clear, sealed = uuid4(), address, None
    if seals.is_on(TABLE):
        (sealed,) = await seals.seal(session, EVERYWHERE, subject_of(account_id), TABLE, [address.encode()])
        clear = None
    await session.execute(_ADD_ACCOUNT, account_id, clear, sealed, hashed if sealed else None)
    return account_id


async def address_of(session: Session, row: Row, seals: Seals) -> str | None:
    """Return the address of an account's row, opened where it is sealed; nothing where it has none."""
    if row["sealed"] is None:
        return row["address"]
    (text,) = await seals.open(session, subject_of(row["account_id"]), TABLE, [row["sealed"]])
    return text.decode()


def subject_of(account_id: UUID) -> str:
    """Return whose key it is that seals what an account keeps."""
    return f"account:{account_id}"


async def add_session(session: Session, secret: str, account_id: UUID) -> None:
    await session.execute(
        "insert into account.session (hash, account_id, ends_at) values ($1, $2, now() + make_interval(secs => $3))",
        rules.hash_of(secret),
        account_id,
        float(SESSION_S),
    )


async def known(session: Session, secret: str) -> Row | None:
    """Return whose session this is, where it stands."""
    return await session.fetch_row(_KNOWN, rules.hash_of(secret)) if secret else None


async def add_interaction(session: Session, secret: str, client: str, request: str) -> None:
    await session.execute(
        "insert into account.interaction (hash, client, request, ends_at)"
        " values ($1, $2, $3, now() + make_interval(secs => $4))",
        rules.hash_of(secret),
        client,
        request,
        float(INTERACTION_S),
    )


async def interaction(session: Session, secret: str) -> Row | None:
    return await session.fetch_row(_INTERACTION, rules.hash_of(secret)) if secret else None


async def end_interaction(session: Session, secret: str) -> None:
    await session.execute("delete from account.interaction where hash = $1", rules.hash_of(secret))


async def consented(session: Session, account_id: UUID, client: str) -> frozenset[str]:
    """Return what somebody lets a shop know."""
    return frozenset((await session.fetch_value(_CONSENT, account_id, client) or "").split())


async def add_consent(session: Session, account_id: UUID, client: str, scope: str) -> None:
    await session.execute(_ADD_CONSENT, account_id, client, scope)


async def add_code(session: Session, code: str, session_id: UUID, client: str, wanted: rules.Wanted) -> None:
    """Keep a code, with the family of tokens that it will begin."""
    await session.execute(
        _ADD_CODE,
        session_id,
        client,
        wanted.scope,
        rules.hash_of(code),
        wanted.redirect_uri,
        wanted.challenge,
        wanted.nonce,
    )


async def code(session: Session, text: str) -> Row | None:
    """Return what a code stands for; whoever brings it at the same moment waits."""
    return await session.fetch_row(_CODE, rules.hash_of(text))


async def use_code(session: Session, text: str) -> None:
    await session.execute("update account.code set used_at = now() where hash = $1", rules.hash_of(text))


async def refresh(session: Session, text: str) -> Row | None:
    """Return what a refresh token stands for; whoever brings it at the same moment waits."""
    return await session.fetch_row(_REFRESH, rules.hash_of(text))


async def replace_refresh(session: Session, family_id: UUID, new: str, old: str = "") -> None:
    """Keep a new refresh token; the one that it replaces is used up."""
    await session.execute("update account.refresh set used_at = now() where hash = $1", rules.hash_of(old))
    await session.execute(
        "insert into account.refresh (hash, family_id) values ($1, $2)", rules.hash_of(new), family_id
    )


async def family(session: Session, family_id: UUID) -> Row | None:
    return await session.fetch_row(_GOOD, family_id)


async def end_family(session: Session, family_id: UUID, because: str) -> None:
    await session.execute(
        "update account.family set ended = $2 where family_id = $1 and ended = ''", family_id, because
    )


async def end_session(session: Session, session_id: UUID) -> None:
    """End a session and all tokens that came of it; every shop that has some will be told."""
    await session.execute(_NOTICES, session_id)
    await session.execute("delete from account.session where session_id = $1", session_id)


async def due_notices(session: Session) -> Sequence[Row]:
    """Return shops that have still to hear of an end, each taken for this try."""
    return await session.fetch(_DUE)


async def end_notice(session: Session, session_id: UUID, client: str) -> None:
    await session.execute("delete from account.notice where session_id = $1 and client = $2", session_id, client)


async def lock_keys(session: Session) -> None:
    await session.execute("select pg_advisory_xact_lock(hashtextextended('account.keys', 0))")


async def keys(session: Session) -> Sequence[Row]:
    """Return the public keys that are shown, the oldest first."""
    return await session.fetch(_KEYS, float(KEY_SHOWN_S))


async def signing_key(session: Session) -> Row | None:
    return await session.fetch_row(_SIGNING)


async def is_key_old(session: Session) -> bool:
    """Say whether the newest key is to be followed by another."""
    return await session.fetch_value(
        "select coalesce(max(made_at) < now() - make_interval(secs => $1), true) from account.key", float(KEY_OLD_S)
    )


async def add_key(session: Session, kid: str, sealed: str, public: str, waits_s: float) -> None:
    await session.execute(_ADD_KEY, kid, sealed, public, waits_s)


async def now_s(session: Session) -> int:
    return await session.fetch_value("select extract(epoch from now())::bigint")


async def prune(session: Session) -> None:
    """Forget what has ended."""
    for statement in _PRUNE:
        await session.execute(statement)


async def forget(session: Session, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[UUID]:
    """Erase accounts by their addresses, or by keyed hashes of them; return which these were."""
    rows = await session.fetch("select account.known($1, $2) as account_id", list(addresses), list(hashes))
    await session.execute("select account.forget($1, $2)", list(addresses), list(hashes))
    return [row["account_id"] for row in rows]


async def unknown_accounts(session: Session, client: str, accounts: Sequence[str]) -> tuple[str, ...]:
    """Return which accounts never signed in at a client; what is no id of an account never did."""
    rows = await session.fetch("select account.not_of_client($1, $2) as id", client, list(accounts))
    return tuple(row["id"] for row in rows)
