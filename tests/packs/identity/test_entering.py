"""Signing in under attack: guesses, stolen and replayed codes, sessions that end; the owner still gets in."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyotp.totp import TOTP

from isthmus.kernel import Caller, FrontEnd, Platform, ports
from isthmus.manifest.vault import Vault
from isthmus.packs.audit.service.journal import Journal
from isthmus.packs.identity import api, rules
from isthmus.packs.identity.service import entering, passwords
from isthmus.packs.identity.service.entering import Browser, Entered
from isthmus.packs.identity.service.staff import Staff
from isthmus.packs.inventory import api as inventory
from isthmus.packs.inventory.pack import PACK as INVENTORY
from isthmus.packs.policy.pack import PACK as POLICY
from isthmus.packs.policy.service.policies import DEFAULT, Policies
from isthmus.store import Database

from .conftest import CLI, DESK, PASSWORD, Office

EVE = Browser(address="203.0.113.9", agent="eve")
WRONG = "not the password at all"


async def guess(office: Office, password: str = WRONG, browser: Browser = EVE) -> Entered:
    return await entering.by_password(office.staff, "ada@example.org", password, browser)


async def locked_out(office: Office) -> None:
    """Have somebody guess until the account waits."""
    for _ in range(rules.FREE_TRIES + 1):
        with pytest.raises(api.NotSignedIn):
            await guess(office)
    with pytest.raises(api.TooManyTries):
        await guess(office)


async def test_address_or_name_and_password_sign_in_and_nobody_learns_who_is_here(office: Office) -> None:
    await office.hire("ada", "owner")
    for named in ("ada@example.org", " ADA@example.org", "ada"):
        assert await office.staff.known((await entering.by_password(office.staff, named, PASSWORD, DESK)).session)
    said = set()
    for named, password in (("ada", WRONG), ("nobody", PASSWORD), ("", PASSWORD), ("ada", ""), ("ada", "x" * 99_999)):
        with pytest.raises(api.NotSignedIn) as refused:
            await entering.by_password(office.staff, named, password, EVE)
        said.add(str(refused.value))
    assert len(said) == 1


async def test_a_guesser_waits_longer_each_time(office: Office) -> None:
    await office.hire("ada", "owner")
    await locked_out(office)
    waits = []
    for _ in range(4):
        with pytest.raises(api.TooManyTries) as refused:
            await guess(office)
        waits.append(int(str(refused.value).split(" in ")[1].split(" s")[0]))
        await office.passes(waits[-1])
        with pytest.raises(api.NotSignedIn):
            await guess(office)
    assert waits == sorted(set(waits)), "each is longer than the one before"


async def test_the_right_password_is_not_looked_at_while_a_guesser_waits(office: Office) -> None:
    await office.hire("ada", "owner")
    await locked_out(office)
    with pytest.raises(api.TooManyTries):
        await guess(office, PASSWORD)


async def test_a_device_that_is_known_gets_in_while_somebody_guesses(office: Office) -> None:
    done = await office.hire("ada", "owner")
    await locked_out(office)
    own = dataclasses.replace(EVE, device=done.device)  # from the guesser's own network, even
    assert await office.staff.known((await guess(office, PASSWORD, own)).session)


async def test_a_device_of_somebody_else_opens_no_door(office: Office) -> None:
    await office.hire("ada", "owner")
    bo = await office.hire("bo", "support")
    await locked_out(office)
    with pytest.raises(api.TooManyTries):
        await guess(office, PASSWORD, dataclasses.replace(EVE, device=bo.device))


async def test_a_stolen_device_is_slowed_too(office: Office) -> None:
    done = await office.hire("ada", "owner")
    thief = dataclasses.replace(EVE, device=done.device)
    for _ in range(rules.FREE_TRIES + 1):
        with pytest.raises(api.NotSignedIn):
            await guess(office, browser=thief)
    with pytest.raises(api.TooManyTries):
        await guess(office, PASSWORD, thief)


async def test_many_guesses_at_once_are_many_guesses(office: Office) -> None:
    await office.hire("ada", "owner")
    began = time.monotonic()
    done = await asyncio.gather(*(guess(office) for _ in range(20)), return_exceptions=True)
    waited_for = math.log2(1 + time.monotonic() - began)  # each waits twice as long as the one before
    looked_at = [one for one in done if isinstance(one, api.NotSignedIn)]
    assert len(looked_at) <= rules.FREE_TRIES + 1 + waited_for
    assert {type(one).__name__ for one in done} <= {"NotSignedIn", "TooManyTries"}


async def test_one_address_that_tries_many_accounts_waits(office: Office) -> None:
    for number in range(rules.FREE_TRIES_ADDRESS + 1):
        with pytest.raises(api.NotSignedIn):
            await entering.by_password(office.staff, f"nobody-{number}", WRONG, EVE)
    with pytest.raises(api.TooManyTries):
        await entering.by_password(office.staff, "nobody-else", WRONG, EVE)


@pytest.mark.parametrize(("one", "other", "is_same"), [
    ("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:0:1::1", False),
    ("192.0.2.1", "192.0.2.2", False), ("", "", True),
])  # fmt: skip
def test_a_guesser_has_64_bits_of_addresses_and_is_one(one: str, other: str, is_same: bool) -> None:
    assert (rules.attempt_keys("a", one, "")[1] == rules.attempt_keys("a", other, "")[1]) == is_same


async def test_passwords_are_looked_at_few_at_a_time_and_those_beyond_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "WAITING_MAX", 3)
    some = passwords.Passwords()
    kept = await some.hashed(PASSWORD)
    done = await asyncio.gather(*(some.is_right(kept, PASSWORD) for _ in range(5)), return_exceptions=True)
    assert (
        sorted(str(one) if isinstance(one, bool) else type(one).__name__ for one in done) == ["Busy"] * 2 + ["True"] * 3
    )
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "64 MiB and three passes"


async def test_a_session_that_is_ended_is_ended_on_every_server_at_once(office: Office, tmp_path: Path) -> None:
    done = await office.hire("ada", "owner")
    async with await Database.open(office.database.url) as elsewhere:
        other = Staff(elsewhere, Vault(tmp_path / "key", api.NoKey))
        assert await other.known(done.session)
        assert await office.staff.sign_out("ada", CLI) == 1
        assert await other.known(done.session) is None


async def test_one_sign_in_of_several_is_ended_by_its_number_and_no_other_persons(office: Office) -> None:
    first, bo = await office.hire("ada", "owner"), await office.hire("bo", "support")
    second = await guess(office, PASSWORD, DESK)
    async with office.database.platform() as session:
        numbers = {row["person_id"]: row["session_id"] for row in await session.fetch("select * from identity.session")}
    assert await office.staff.sign_out("bo", CLI, session_id=max(numbers.values())) == 0, "it is ada's"
    assert await office.staff.sign_out("ada", CLI, session_id=max(numbers.values())) == 1
    standing = [await office.staff.known(one.session) is not None for one in (first, second, bo)]
    assert standing == [True, False, True]


async def test_a_session_ends_with_the_working_day_by_the_databases_clock(office: Office) -> None:
    done = await office.hire("ada", "owner")
    await office.passes(12 * 3600 + 1)
    assert await office.staff.known(done.session) is None


@pytest.mark.parametrize("forged", ["", "x", "\udcff", "0" * 5_000, "' or true --"])
async def test_what_was_never_given_is_nobodys(office: Office, forged: str) -> None:
    await office.hire("ada", "owner")
    assert await office.staff.known(forged) is None


async def test_the_database_holds_no_session_link_device_or_password_that_could_be_used(office: Office) -> None:
    done = await office.hire("ada", "owner")
    link = (await office.staff.sign_in_link("ada", CLI)).rpartition("=")[2]
    secret, _ = entering.new_totp("ada")
    codes = await entering.set_totp(office.staff, "ada", secret, TOTP(secret).now())
    dump = ""
    async with office.database.platform() as session:
        for table in ("person", "link", "session", "device", "recovery", "attempt", "role"):
            dump += "".join(str(dict(row)) for row in await session.fetch(f"select * from identity.{table}"))
    assert len(dump) > 500
    assert all(one not in dump for one in (done.session, done.device, link, secret, PASSWORD, *codes))


async def with_codes(office: Office) -> tuple[TOTP, tuple[str, ...]]:
    await office.hire("ada", "owner")
    secret, uri = entering.new_totp("ada")
    assert secret in uri
    codes = await entering.set_totp(office.staff, "ada", secret, TOTP(secret).now())
    return TOTP(secret), codes


async def test_where_codes_are_asked_for_a_password_or_a_link_alone_lets_nobody_in(office: Office) -> None:
    totp, _ = await with_codes(office)
    half = await guess(office, PASSWORD, DESK)
    assert (half.lacks_code, half.device, await office.staff.known(half.session)) == (True, "", None)
    whole = await entering.with_code(office.staff, half.session, totp.now(), DESK)
    assert await office.staff.known(whole.session)
    link = (await office.staff.sign_in_link("ada", CLI)).rpartition("=")[2]
    by_link = await entering.by_link(office.staff, link, DESK)
    assert (by_link.lacks_code, await office.staff.known(by_link.session)) == (True, None)


async def test_a_code_is_good_once_and_a_wrong_one_is_slowed(office: Office) -> None:
    totp, _ = await with_codes(office)
    code = totp.now()
    await entering.with_code(office.staff, (await guess(office, PASSWORD, DESK)).session, code, DESK)
    half = (await guess(office, PASSWORD, DESK)).session
    with pytest.raises(api.NotSignedIn):
        await entering.with_code(office.staff, half, code, DESK)  # read over a shoulder
    for _ in range(rules.FREE_TRIES):
        with pytest.raises(api.NotSignedIn):
            await entering.with_code(office.staff, half, "000 000", DESK)
    with pytest.raises(api.TooManyTries):
        await entering.with_code(office.staff, half, "111111", DESK)


@pytest.mark.parametrize("typed", ["", "\u00b2" * 6, "\u0661" * 6, "12345", "x" * 100_000, "\udcff", "000000\0"])
async def test_what_is_no_code_is_refused_and_no_defect(office: Office, typed: str) -> None:
    await with_codes(office)
    half = (await guess(office, PASSWORD, DESK)).session
    with pytest.raises(api.NotSignedIn):
        await entering.with_code(office.staff, half, typed, DESK)
    for secret in (entering.new_totp("ada")[0], "1" * 32, ""):
        with pytest.raises(api.NotSignedIn):
            await entering.set_totp(office.staff, "ada", secret, typed)


async def test_a_recovery_code_lets_in_once(office: Office) -> None:
    _, codes = await with_codes(office)
    half = (await guess(office, PASSWORD, DESK)).session
    assert (await entering.with_code(office.staff, half, f" {codes[3].upper()} ", DESK)).device
    with pytest.raises(api.NotSignedIn, match="has ended"):
        await entering.with_code(office.staff, half, codes[4], DESK)  # the half was used up
    half = (await guess(office, PASSWORD, DESK)).session
    with pytest.raises(api.NotSignedIn):
        await entering.with_code(office.staff, half, codes[3], DESK)


async def test_a_second_factor_opens_under_its_own_key_alone(office: Office, tmp_path: Path) -> None:
    totp, _ = await with_codes(office)
    half = (await guess(office, PASSWORD, DESK)).session
    stolen = Staff(office.database, Vault(tmp_path / "another-key", api.NoKey))
    with pytest.raises(api.NoKey):
        await entering.with_code(stolen, half, totp.now(), DESK)


async def test_a_new_password_ends_all_other_sign_ins_and_needs_the_old_one(office: Office) -> None:
    first = await office.hire("ada", "owner")
    other = await guess(office, PASSWORD, DESK)
    with pytest.raises(api.NotSignedIn):
        await entering.change_password(office.staff, "ada", WRONG, "another horse battery staple", first.session)
    await entering.change_password(office.staff, "ada", PASSWORD, "another horse battery staple", first.session)
    assert await office.staff.known(first.session)
    assert await office.staff.known(other.session) is None
    with pytest.raises(api.NotSignedIn):
        await guess(office, PASSWORD, DESK)


async def test_a_session_that_ends_in_the_middle_of_a_call_ends_with_it(
    office: Office, make_platform: Callable[..., Awaitable[Platform]]
) -> None:
    """What had begun ends as it began, with its entry in their name; with the next look they are nobody."""
    bo = await office.hire("bo", "operator")
    guard = Policies((INVENTORY, POLICY), [("default", DEFAULT.read_text())])

    class Slow(Policies):
        async def check(self, caller: Caller, capability: Any, settings: Mapping[str, str], ask: Any = None) -> str:
            parts = await guard.check(caller, capability, settings)
            await office.staff.sign_out("bo", CLI)  # when the call is let in, and has done nothing yet
            return parts

    slow = Slow((INVENTORY, POLICY), [("default", DEFAULT.read_text())])
    north = FrontEnd(code="north", name="N", owner="n", uses=("inventory.*",))
    resources = {ports.Guard: slow, ports.Journal: Journal(office.database)}
    platform = await make_platform(INVENTORY, north, resources=resources)
    known = await office.staff.known(bo.session)
    assert known is not None
    caller = Caller(front_end="north", person=known.name, roles=known.roles_at("north"), via="console")
    receive = inventory.Receive(reference="r", lines=(inventory.Receipt(sku="tea", location="shop", quantity=1),))
    await platform.call(inventory.receive, receive, caller)
    assert await office.staff.known(bo.session) is None
    written = [(one["action"], one["person"], one["outcome"]) for one in await office.written()]
    assert ("inventory.receive", "bo", "done") in written
