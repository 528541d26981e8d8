"""People of staff: invited, given roles, signed out. Each act is one transaction with its entry in the journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from isthmus.kernel import Caller, Value, errors, ports
from isthmus.manifest import Place
from isthmus.manifest.actions import EVERYWHERE
from isthmus.manifest.parts import Relation, kinds_of
from isthmus.manifest.sign_in import Person, SignIn
from isthmus.manifest.vault import Vault
from isthmus.store import Database
from isthmus.store.errors import ConstraintBroken

from .. import api, rules
from ..storage import people as storage
from ..storage import relations as related
from . import sharing
from .passwords import Passwords
from .providers import Provider, ProviderSettings

INVITED_HOURS: Final = 72.0
SIGN_IN_HOURS: Final = 12.0
FIRST: Final = "admin"  # what the first person of a fresh platform is called
DONE: Final = "done"
LINK: Final = "/sign-in/link?link="
PLATFORM: Final = Caller(front_end=EVERYWHERE, client="platform", via="job")

_MEANING: Final[Mapping[str, type[errors.IsthmusError]]] = {"identity_keep_an_administrator": api.LastAdministrator}


class IdentitySettings(Value):
    """`[settings.identity]`: the file of the key under which second factors are sealed; made where it is not set.

    providers: where people sign in elsewhere, by name.
    """

    key: str = ""
    providers: dict[str, ProviderSettings] = {}


class Staff:
    """Who may sign in, and who is signed in: what the console asks. journal: writes what is done; none: nobody does."""

    template = "isthmus.packs.identity.pages:sign_in.html"

    def __init__(
        self,
        database: Database,
        vault: Vault,
        journal: Callable[[], ports.Journal | None] = lambda: None,
        providers: Mapping[str, ProviderSettings] | None = None,
        kinds: Collection[str] = (),
    ) -> None:
        self.kinds = kinds  # of parts of a front end that somebody may be given
        self.database = database
        self.vault = vault
        self.passwords = Passwords()
        self._journal = journal
        self.providers = {name: Provider(name, one) for name, one in (providers or {}).items()}

    @property
    def offers(self) -> Mapping[str, Any]:
        """Return what the page of signing in shows beside its form."""
        return {"providers": sorted(self.providers)}

    async def known(self, session: str) -> Person | None:
        """Return whose session this is. Asked of the database each time, so that who is signed out is so everywhere."""
        if not session:
            return None
        async with self.database.platform() as found:
            row = await storage.known(found, session)
        return None if row is None else person_of(row["name"], row)

    async def first_link(self, secret: str) -> str:
        """Return where the first administrator comes in, while nobody can yet; nothing where it was said already."""
        async with self.database.platform() as looking:
            if not await storage.is_empty(looking):
                return ""
        async with self.act(PLATFORM, "people.first-admin") as (session, _):
            await storage.lock_people(session)
            if not await storage.is_empty(session):
                return ""
            row = await storage.find_person(session, name=FIRST)
            made = row["person_id"] if row else await storage.add_person(session, FIRST, None, PLATFORM.client)
            await storage.give_role(session, made, api.RoleAt(role=api.OWNER), PLATFORM.client)
            is_new = await storage.add_link(session, secret, made, "invitation", INVITED_HOURS)
        return LINK + secret if is_new else ""

    async def first_admin(self, name: str, address: str, by: Caller) -> str:
        """Invite the first administrator, and return their link. Raises AlreadyAdministered for every one after."""
        async with self.act(by, "people.first-admin", name=name) as (session, _):
            await storage.lock_people(session)
            if not await storage.is_empty(session):
                raise api.AlreadyAdministered
            return await self._invited(session, name, address, (api.RoleAt(role=api.OWNER),), by)

    async def invite(
        self,
        name: str,
        address: str,
        roles: tuple[api.RoleAt, ...],
        by: Caller,
        relations: tuple[api.RelationAt, ...] = (),
    ) -> str:
        """Invite somebody as one or more roles, and return their link, which is good once; an earlier one goes.

        Who is invited twice has the roles of both, and the second link. relations: to parts of front ends, such as the
        seller whose people they are. Raises AlreadyHere for who came already.
        """
        said = [*_said(roles), *(one.text for one in relations)]
        async with self.act(by, "people.invite", name=name, roles=said) as (session, _):
            for one in roles:
                check_may_give(one, by)
            await storage.lock_people(session)
            return await self._invited(session, name, address, roles, by, relations)

    async def _invited(
        self,
        session: ports.Session,
        name: str,
        address: str,
        roles: tuple[api.RoleAt, ...],
        by: Caller,
        relations: tuple[api.RelationAt, ...] = (),
    ) -> str:
        called, reached = rules.name_of(name), rules.address_of(address)
        row = await storage.find_person(session, name=called, address=reached)
        if row is not None and (row["state"] != "invited" or row["address"] not in (None, reached)):
            raise api.AlreadyHere(what=f"the name {called!r}" if row["name"] == called else "the address")
        made = row["person_id"] if row else await storage.add_person(session, called, reached, who(by))
        for one in roles:
            await storage.give_role(
                session, made, api.RoleAt(role=rules.role_of(one.role), front_end=one.front_end), who(by)
            )
        for part in relations:
            await sharing.give(session, made, part, by, self.kinds)
        return await self._link(session, made, "invitation", INVITED_HOURS)

    async def share(self, name: str, one: api.RelationAt, by: Caller) -> None:
        """Give somebody a role of a part of a front end, or of all of it for a time. It counts from their next page on.

        Raises WrongPart, NotYoursToGive, EndsBefore and NoSuchPerson.
        """
        async with self.act(by, "people.share", name=name, what=one.text, until=one.until) as (session, _):
            row = await found_person(session, name)
            await sharing.give(session, row["person_id"], one, by, self.kinds)

    async def end_share(self, relation_id: int, front_end: str, by: Caller) -> None:
        """End what was given at a front end, or anywhere (`*`), from the next page on. Raises NoSuchRelation."""
        async with self.act(by, "people.end-share", relation=relation_id) as (session, said):
            one = await sharing.end(session, relation_id, front_end, by)
            said |= {"name": one.person, "what": f"{one.text} at {one.front_end}"}

    async def sign_in_link(self, name: str, by: Caller) -> str:
        """Return a link that signs somebody in once, without a password; a second factor is asked for all the same."""
        async with self.act(by, "people.sign-in-link", name=name) as (session, _):
            row = await found_person(session, name)
            if row["state"] == "disabled":
                raise api.NoSuchPerson(name=name)
            for one in storage.roles_of(row):
                check_may_give(one, by)  # who lets in an owner could be one
            kind = "invitation" if row["state"] == "invited" else "sign-in"
            return await self._link(session, row["person_id"], kind, SIGN_IN_HOURS)

    async def made(self, name: str, roles: tuple[api.RoleAt, ...], by: Caller) -> str:
        """Make somebody who needs no password, such as for a demo, and return a link that signs them in once."""
        async with self.act(by, "people.make", name=name, roles=_said(roles)) as (session, _):
            row = await storage.find_person(session, name=rules.name_of(name))
            id = row["person_id"] if row else await storage.add_person(session, name, None, who(by))
            await storage.set_state(session, id, "active")
            for one in roles:
                await storage.give_role(session, id, one, who(by))
            return await self._link(session, id, "sign-in", SIGN_IN_HOURS)

    async def _link(self, session: ports.Session, person_id: int, kind: str, hours: float) -> str:
        secret = rules.new_secret()
        await storage.add_link(session, secret, person_id, kind, hours)
        return LINK + secret

    async def give(self, name: str, one: api.RoleAt, by: Caller) -> None:
        """Give somebody a role at a front end, or `*`. It counts from their next page or call on."""
        async with self.act(by, "people.give-role", name=name, roles=_said((one,))) as (session, said):
            check_may_give(one, by)
            given = api.RoleAt(role=rules.role_of(one.role), front_end=one.front_end)
            async with _changing(session, said, name) as row:
                await storage.give_role(session, row["person_id"], given, who(by))

    async def take(self, name: str, one: api.RoleAt, by: Caller) -> None:
        """Take a role away. Raises LastAdministrator."""
        async with self.act(by, "people.take-role", name=name, roles=_said((one,))) as (session, said):
            check_may_give(one, by)
            async with _changing(session, said, name) as row:
                await storage.take_role(session, row["person_id"], one)

    async def sign_out(self, name: str, by: Caller, *, session_id: int = 0, but: str = "") -> int:
        """End sign-ins of somebody, one or all; every server knows it at once. Returns how many ended.

        but: the secret of the one that stays.
        """
        async with self.act(by, "people.sign-out", name=name, session=session_id) as (session, _):
            row = await found_person(session, name)
            return await storage.end_sessions(session, row["person_id"], only=session_id, but=but)

    async def disable(self, name: str, by: Caller, *, is_back: bool = False) -> None:
        """Let somebody in no more, and sign them out; is_back: let them in again. Raises LastAdministrator."""
        act = "people.enable" if is_back else "people.disable"
        async with self.act(by, act, name=name) as (session, said), _changing(session, said, name) as row:
            for one in storage.roles_of(row):
                check_may_give(one, by)
            back = "active" if row["password"] else "invited"
            await storage.set_state(session, row["person_id"], back if is_back else "disabled")
            await storage.end_sessions(session, row["person_id"])

    async def relations(self, *, person: str = "", front_end: str = "") -> tuple[Relation, ...]:
        """Return what was given and stands now, of somebody or at a front end."""
        async with self.database.platform() as session:
            return await related.standing(session, person, front_end)

    async def holding(self, name: str) -> Person | None:
        """Return somebody with the roles and relations that they hold now; None where nobody here may sign in so."""
        async with self.database.platform() as session:
            row = await storage.find_person(session, name=name)
        return None if row is None or row["state"] == "disabled" else person_of(name, row)

    async def people(self) -> tuple[api.Member, ...]:
        """Return everybody, by name."""
        async with self.database.platform() as session:
            return await storage.list_people(session)

    async def prune(self) -> None:
        """Forget what has ended."""
        async with self.database.platform() as session:
            await storage.prune(session)

    @asynccontextmanager
    async def act(
        self, by: Caller, action: str, /, **said: Any
    ) -> AsyncGenerator[tuple[ports.Session, dict[str, Any]]]:
        """Give a transaction for something done, with its entry: both are there, or neither.

        What is refused has an entry by itself. The dictionary given is what the entry says.
        """
        try:
            async with self.database.platform_transaction() as session:
                yield session, said
                await self._write(session, by, action, said, DONE)
        except ConstraintBroken as broken:
            meant = _MEANING.get(broken.constraint)
            refused = meant() if meant else api.AlreadyHere(what="this name or address")
            await self._refused(by, action, said, refused)
            raise refused from broken
        except errors.IsthmusError as refused:
            await self._refused(by, action, said, refused)
            raise

    async def _refused(self, by: Caller, name: str, said: Mapping[str, Any], error: errors.IsthmusError) -> None:
        async with self.database.platform() as session:
            await self._write(session, by, name, said, error.slug)

    async def _write(
        self, session: ports.Session, by: Caller, name: str, said: Mapping[str, Any], outcome: str
    ) -> None:
        if (journal := self._journal()) is not None:
            statement, *arguments = journal.act(name, by, said, outcome)
            await session.execute(statement, *arguments)


@asynccontextmanager
async def _changing(session: ports.Session, said: dict[str, Any], name: str) -> AsyncGenerator[ports.Row]:
    """Give somebody's row, and have the entry say what they were before and are after. Raises NoSuchPerson."""

    def standing(row: ports.Row) -> dict[str, Any]:
        return {"state": row["state"], "roles": _said(storage.roles_of(row))}

    row = await found_person(session, name)
    said["before"] = standing(row)
    yield row
    said["after"] = standing(await found_person(session, name))


async def found_person(session: ports.Session, name: str) -> ports.Row:
    """Return somebody by name. Raises NoSuchPerson."""
    if (row := await storage.find_person(session, name=name)) is None:
        raise api.NoSuchPerson(name=name)
    return row


def check_may_give(one: api.RoleAt, by: Caller) -> None:
    """Raise OwnersOnly where somebody would give or take what makes an owner, and is none there."""
    if by.person and one.role == api.OWNER and api.OWNER not in by.roles:
        raise api.OwnersOnly(front_end=one.front_end)


def person_of(name: str, row: ports.Row) -> Person:
    roles: dict[str, tuple[str, ...]] = {}
    for one in storage.roles_of(row):
        roles[one.front_end] = (*roles.get(one.front_end, ()), one.role)
    relations: dict[str, tuple[str, ...]] = {}
    for front_end, held in row["relations"] or ():
        relations[front_end] = (*relations.get(front_end, ()), held)
    return Person(name=name, roles=roles, relations=relations)


def who(by: Caller) -> str:
    return by.person or by.client


def _said(roles: tuple[api.RoleAt, ...]) -> list[str]:
    return [f"{one.role} at {one.front_end}" for one in roles]


def staff_at(place: Place) -> Staff:
    settings: IdentitySettings = place.settings
    key = place.root / settings.key if settings.key else place.data / "identity" / "key"
    kinds = {kind for some in kinds_of(place.packs).values() for kind in some}
    return Staff(
        place.database, Vault(key, api.NoKey), lambda: place.resource(ports.Journal), settings.providers, kinds
    )


def staff_of(owner: Any) -> Staff:
    """Return what knows the staff: of a client, of what commands opened, of a platform that runs."""
    return cast(Staff, owner.resource(SignIn))
