"""People, links, sessions and tries in PostgreSQL, through the platform's own sessions. Times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from isthmus.kernel import ports

from .. import api, rules

Session = ports.Session
Row = ports.Row

SESSION_S: Final = 12 * 3600  # a working day
CODE_S: Final = 300  # to type the second factor
SEEN_EVERY: Final = "1 minute"  # so that looking at pages is not writing
ATTEMPTS_KEPT: Final = "1 day"

_ROLES: Final = """(
    select array_agg(array[front_end, role] order by front_end, role)
    from identity.role r where r.person_id = p.person_id)"""
_RELATIONS: Final = """(
    select array_agg(array[front_end, role || ' ' || part] order by front_end, part, role)
    from identity.relation r where r.person_id = p.person_id and r.ended_at is null
        and (r.ends_at is null or r.ends_at > now()))"""
_PERSON: Final = f"select p.*, {_ROLES} as roles, {_RELATIONS} as relations from identity.person p"
_KNOWN: Final = f"""
    select p.name, s.session_id, s.seen_at < now() - interval '{SEEN_EVERY}' as is_stale, {_ROLES} as roles,
        {_RELATIONS} as relations
    from identity.session s join identity.person p using (person_id)
    where s.hash = $1 and not s.lacks_code and s.ends_at > now() and p.state = 'active'"""
_LIST: Final = f"""
    select p.name, coalesce(p.address, '') as address, p.state, {_ROLES} as roles,
        p.password is not null as has_password,
        p.totp is not null as has_codes,
        (select count(*) from identity.passkey k where k.person_id = p.person_id) as passkeys,
        (select max(seen_at) from identity.session s where s.person_id = p.person_id) as seen_at
    from identity.person p order by p.name limit 1000"""
_IS_OLD: Final = "(a.last_at < clock_timestamp() - interval '1 hour' and a.until < clock_timestamp())"
_TRY: Final = f"""
    insert into identity.attempt as a (key, failures, until) values ($1, 1, clock_timestamp())
    on conflict (key) do update set
        failures = case when {_IS_OLD} then 1 else a.failures + 1 end,
        last_at = clock_timestamp(),
        until = clock_timestamp() + make_interval(secs => case
            when a.failures < $2 or {_IS_OLD} then 0 else least($3::float, 2.0 ^ least(a.failures + 1 - $2, 20)) end)
    where a.until <= clock_timestamp()
    returning failures"""
_WAIT: Final = """
    select greatest(1, ceil(extract(epoch from max(until) - clock_timestamp())))::int
    from identity.attempt where key = any($1)"""


async def find_person(session: Session, *, name: str = "", address: str = "", id: int = 0) -> Row | None:
    """Return somebody by name, address or id, with their roles."""
    if id:
        return await session.fetch_row(f"{_PERSON} where p.person_id = $1", id)
    return await session.fetch_row(
        f"{_PERSON} where ($1 <> '' and p.name = $1) or ($2 <> '' and p.address = $2)", name, address
    )


async def lock_people(session: Session) -> None:
    """Let one transaction at a time add people: of two invitations of one address the second finds the first."""
    await session.execute("select pg_advisory_xact_lock(hashtextextended('identity.people', 0))")


async def is_empty(session: Session) -> bool:
    """Say whether nobody can sign in, or ever could."""
    return not await session.fetch_value("select exists (select from identity.person where state <> 'invited')")


async def list_people(session: Session) -> tuple[api.Member, ...]:
    rows = await session.fetch(_LIST)
    return tuple(api.Member(**{**dict(row), "roles": roles_of(row)}) for row in rows)  # pyright: ignore[reportArgumentType]


async def add_person(session: Session, name: str, address: str | None, by: str) -> int:
    """Add somebody who is invited."""
    return await session.fetch_value(
        """insert into identity.person (name, address, state, made_by) values ($1, $2, 'invited', $3)
           returning person_id""",
        name, address, by,
    )  # fmt: skip


async def give_role(session: Session, person_id: int, one: api.RoleAt, by: str) -> None:
    await session.execute(
        """insert into identity.role (person_id, front_end, role, given_by) values ($1, $2, $3, $4)
           on conflict do nothing""",
        person_id, one.front_end, one.role, by,
    )  # fmt: skip


async def take_role(session: Session, person_id: int, one: api.RoleAt) -> bool:
    """Take a role away, and say whether it was there."""
    gone = await session.fetch_value(
        "delete from identity.role where person_id = $1 and front_end = $2 and role = $3 returning true",
        person_id, one.front_end, one.role,
    )  # fmt: skip
    return bool(gone)


async def set_state(session: Session, person_id: int, state: str) -> None:
    await session.execute("update identity.person set state = $2 where person_id = $1", person_id, state)


async def set_password(session: Session, person_id: int, password: str, address: str | None = None) -> None:
    """Set a password; address: where none is known yet."""
    await session.execute(
        """update identity.person set password = $2, address = coalesce(address, $3),
               state = case state when 'invited' then 'active' else state end
           where person_id = $1""",
        person_id, password, address,
    )  # fmt: skip


async def add_link(session: Session, secret: str, person_id: int, kind: str, hours: float) -> bool:
    """Add a link, in place of all that the person has not used; say whether it is new."""
    await session.execute(
        "delete from identity.link where person_id = $1 and used_at is null and hash <> $2",
        person_id, rules.hash_of(secret),
    )  # fmt: skip
    made = await session.fetch_value(
        """insert into identity.link (hash, person_id, kind, ends_at)
           values ($1, $2, $3, now() + make_interval(secs => $4 * 3600)) on conflict do nothing returning true""",
        rules.hash_of(secret), person_id, kind, hours,
    )  # fmt: skip
    return bool(made)


async def link(session: Session, secret: str, *, use: bool = False) -> Row | None:
    """Return a link that still lets somebody in; use: once, so that of two at once one is told that there is none."""
    standing = "hash = $1 and used_at is null and ends_at > now()"
    if use:
        said = f"update identity.link set used_at = now() where {standing} returning person_id, kind"
    else:
        said = f"select person_id, kind from identity.link where {standing}"
    return await session.fetch_row(said, rules.hash_of(secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session as it begins. issuer, sid: of the provider that it came from."""

    secret: str
    person_id: int
    lacks_code: bool
    how: str
    address: str
    agent: str
    issuer: str = ""
    sid: str = ""


async def add_session(session: Session, new: NewSession) -> None:
    """Begin a session."""
    ends_s = CODE_S if new.lacks_code else SESSION_S
    await session.execute(
        """insert into identity.session (hash, person_id, lacks_code, how, address, agent, issuer, sid, ends_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))""",
        rules.hash_of(new.secret), new.person_id, new.lacks_code, new.how, new.address[:100], new.agent[:200],
        new.issuer, new.sid, ends_s,
    )  # fmt: skip


async def known(session: Session, secret: str) -> Row | None:
    """Return who holds a session that stands, whatever this server remembers; it is seen once a minute."""
    row = await session.fetch_row(_KNOWN, rules.hash_of(secret))
    if row is not None and row["is_stale"]:
        await session.execute("update identity.session set seen_at = now() where session_id = $1", row["session_id"])
    return row


async def half_signed(session: Session, secret: str) -> Row | None:
    """Return whose second factor a session waits for, and ends it: the whole one has a secret of its own."""
    return await session.fetch_row(
        """select person_id, how from identity.session where hash = $1 and lacks_code and ends_at > now() for update""",
        rules.hash_of(secret),
    )


async def sessions(session: Session, name: str, secret: str) -> tuple[api.Signed, ...]:
    """Return the sign-ins of a person that stand, the newest first."""
    rows = await session.fetch(
        """select session_id, how, agent, s.address, s.made_at, seen_at, hash = $2 as is_this
           from identity.session s join identity.person using (person_id)
           where name = $1 and not lacks_code and ends_at > now() order by session_id desc limit 100""",
        name, rules.hash_of(secret),
    )  # fmt: skip
    return tuple(api.Signed(**dict(row)) for row in rows)


async def end_sessions(session: Session, person_id: int, *, only: int = 0, but: str = "") -> int:
    """End sign-ins of a person: one, or all but one; where all end, no device is known any more. Return how many."""
    gone = await session.fetch(
        """delete from identity.session where person_id = $1 and ($2 = 0 or session_id = $2) and hash <> $3
           returning session_id""",
        person_id, only, rules.hash_of(but),
    )  # fmt: skip
    if not only and not but:
        await session.execute("delete from identity.device where person_id = $1", person_id)
    return len(gone)


async def end_session(session: Session, secret: str) -> Row | None:
    """End the session of a secret, and return whose it was."""
    return await session.fetch_row(
        """delete from identity.session s using identity.person p where s.hash = $1 and p.person_id = s.person_id
           returning p.name""",
        rules.hash_of(secret),
    )


async def is_device_of(session: Session, secret: str, person_id: int) -> bool:
    return await session.fetch_value(
        "select exists (select from identity.device where hash = $1 and person_id = $2)",
        rules.hash_of(secret),
        person_id,
    )


async def add_device(session: Session, secret: str, person_id: int, agent: str) -> None:
    await session.execute(
        "insert into identity.device (hash, person_id, agent) values ($1, $2, $3) on conflict do nothing",
        rules.hash_of(secret), person_id, agent[:200],
    )  # fmt: skip


async def note_try(session: Session, keys: Sequence[tuple[bytes, int]]) -> None:
    """Count a try before it is looked at, so that many at once are many. Raises TooManyTries."""
    for key, free in sorted(keys):
        if await session.fetch_value(_TRY, key, free, float(rules.WAIT_MAX_S)) is None:
            wait_s = await session.fetch_value(_WAIT, [key for key, _ in keys])
            raise api.TooManyTries(wait_s=wait_s or 1)


async def forgive(session: Session, keys: Sequence[tuple[bytes, int]]) -> None:
    """Take a try that was right from what is counted; of an address that one only, as others guess from there too."""
    first, *others = [key for key, _ in keys]
    await session.execute("delete from identity.attempt where key = $1", first)
    await session.execute(
        "update identity.attempt set failures = failures - 1, until = now() where key = any($1)", others
    )


async def set_totp(session: Session, person_id: int, sealed: bytes | None) -> None:
    await session.execute("update identity.person set totp = $2, totp_step = 0 where person_id = $1", person_id, sealed)


async def use_step(session: Session, person_id: int, step: int) -> bool:
    """Take a code of a step that is later than the last, and say whether it was: each code is good once."""
    used = await session.fetch_value(
        "update identity.person set totp_step = $2 where person_id = $1 and totp_step < $2 returning true",
        person_id,
        step,
    )
    return bool(used)


async def set_recovery(session: Session, person_id: int, codes: Sequence[str]) -> None:
    """Put new recovery codes in place of all others."""
    await session.execute("delete from identity.recovery where person_id = $1", person_id)
    await session.execute_many(
        "insert into identity.recovery (person_id, hash) values ($1, $2)",
        [(person_id, rules.hash_of(one)) for one in codes],
    )


async def use_recovery(session: Session, person_id: int, code: str) -> bool:
    """Use a recovery code, once."""
    used = await session.fetch_value(
        """update identity.recovery set used_at = now() where person_id = $1 and hash = $2 and used_at is null
           returning true""",
        person_id, rules.hash_of(code),
    )  # fmt: skip
    return bool(used)


async def now_s(session: Session) -> int:
    """Return the database's time in seconds: codes are of one clock, whichever server looks."""
    return await session.fetch_value("select extract(epoch from now())::bigint")


async def passkeys(session: Session, person_id: int) -> Sequence[Row]:
    """Return the passkeys of a person, the oldest first."""
    return await session.fetch(
        """select credential, number, site, agent, made_at, used_at from identity.passkey
           where person_id = $1 order by number limit 50""",
        person_id,
    )


async def passkey(session: Session, credential: bytes) -> Row | None:
    """Return a passkey with whose it is."""
    return await session.fetch_row(
        """select k.*, p.name, p.state from identity.passkey k join identity.person p using (person_id)
           where credential = $1""",
        credential,
    )


async def add_passkey(
    session: Session, credential: bytes, person_id: int, public_key: bytes, count: int, site: str, agent: str
) -> None:
    await session.execute(
        """insert into identity.passkey (credential, person_id, public_key, sign_count, site, agent)
           values ($1, $2, $3, $4, $5, $6)""",
        credential, person_id, public_key, count, site, agent[:200],
    )  # fmt: skip


async def use_passkey(session: Session, credential: bytes, count: int) -> bool:
    """Note a use, and say whether the device counts on: one that was copied counts beside it."""
    used = await session.fetch_value(
        """update identity.passkey set sign_count = $2, used_at = now()
           where credential = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0)) returning true""",
        credential, count,
    )  # fmt: skip
    return bool(used)


async def remove_passkey(session: Session, person_id: int, number: int) -> None:
    await session.execute("delete from identity.passkey where person_id = $1 and number = $2", person_id, number)


async def use_challenge(session: Session, hash: bytes) -> bool:
    """Use a challenge up, and say whether it was not."""
    used = await session.fetch_value(
        "insert into identity.used_challenge (hash) values ($1) on conflict do nothing returning true", hash
    )
    return bool(used)


async def login(session: Session, issuer: str, subject: str) -> int:
    """Return who it is that a provider vouches for, or 0."""
    found = await session.fetch_value(
        "select person_id from identity.login where issuer = $1 and subject = $2", issuer, subject
    )
    return found or 0


async def add_login(session: Session, issuer: str, subject: str, person_id: int) -> None:
    await session.execute(
        "insert into identity.login (issuer, subject, person_id) values ($1, $2, $3)", issuer, subject, person_id
    )


async def set_roles_of(session: Session, person_id: int, by: str, roles: Sequence[api.RoleAt]) -> None:
    """Have somebody hold the roles that a provider says, and of those that it gave before no others."""
    for one in roles:
        await give_role(session, person_id, one, by)
    await session.execute(
        """delete from identity.role where person_id = $1 and given_by = $2
               and (front_end, role) not in (select * from unnest($3::text[], $4::text[]))""",
        person_id, by, [one.front_end for one in roles], [one.role for one in roles],
    )  # fmt: skip


async def end_sessions_of(session: Session, issuer: str, subject: str, sid: str) -> int:
    """End the sign-ins that came with a session of a provider's, or all of a subject; return how many."""
    gone = await session.fetch(
        """delete from identity.session s where s.issuer = $1 and ($3 = '' or s.sid = $3)
               and ($2 = '' or s.person_id = (select person_id from identity.login where issuer = $1 and subject = $2))
           returning s.session_id""",
        issuer, subject, sid,
    )  # fmt: skip
    return len(gone)


async def prune(session: Session) -> None:
    """Forget what has ended: sessions, links, and tries of yesterday."""
    await session.execute("delete from identity.session where ends_at < now()")
    await session.execute("delete from identity.used_challenge where used_at < now() - interval '1 day'")
    await session.execute("delete from identity.link where ends_at < now() - interval '30 days'")
    await session.execute(
        f"delete from identity.attempt where last_at < now() - interval '{ATTEMPTS_KEPT}' and until < now()"
    )


def roles_of(row: Row) -> tuple[api.RoleAt, ...]:
    """Return the roles of a person's row."""
    return tuple(api.RoleAt(front_end=front_end, role=role) for front_end, role in row["roles"] or ())
