"""Devices: keys of their own that take turns, numbers that are good once, and the end of one that is lost or copied."""

from __future__ import annotations

import hashlib
import sys
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from isthmus.kernel import Caller, Context, Effect, FrontEnd, Pack, Platform, Value, flow, implements
from isthmus.packs.account.pack import PACK as ACCOUNT
from isthmus.packs.devices import api, service
from isthmus.packs.devices.pack import PACK
from isthmus.personal import Forget, Forgotten
from isthmus.store import Database
from tests.packs.conftest import MakePlatform


@flow("till.leave", version="1.0", effect=Effect.WRITE, uses=[api.forget])
def leave(ask: Forget) -> Forgotten:
    """Forget whoever leaves."""
    ...


@implements(leave)
async def _leave(ask: Forget, ctx: Context) -> Forgotten:
    return await ctx.call(api.forget, ask)


till_api = ModuleType("till_api", "Lets people leave.")
till_api.leave = leave  # type: ignore[attr-defined]
TILL = Pack(name="till", owner="till team", api=till_api, service=(sys.modules[__name__],))
NORTH, SOUTH = (FrontEnd(code=code, name=code, owner=code, uses=("devices.*", "till.*")) for code in ("north", "south"))
ANN = str(uuid4())


class Phone:
    """An app on a device: it has a key, and counts what it signs."""

    def __init__(self, device_id: str = "phone-of-ann", *, is_p256: bool = False) -> None:
        self.device_id = device_id
        self.is_p256 = is_p256
        self.key: Any = None
        self.sequence = 0
        self.new_key()

    def new_key(self) -> Any:
        was, self.key = (
            self.key,
            ec.generate_private_key(ec.SECP256R1()) if self.is_p256 else Ed25519PrivateKey.generate(),
        )
        return was

    @property
    def public(self) -> str:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()

    def signed(self, what: str, digest: str, key: Any = None, front_end: str = "north") -> str:
        said = api.signed_bytes(front_end, self.device_id, self.sequence, what, digest)
        if not self.is_p256:
            return (key or self.key).sign(said).hex()
        r, s = decode_dss_signature((key or self.key).sign(said, ec.ECDSA(SHA256())))
        return (r.to_bytes(32) + s.to_bytes(32)).hex()

    def registration(self, member_id: str = ANN, session_id: str = "", front_end: str = "north") -> api.RegisterDevice:
        self.sequence += 1
        digest = api.registration_digest("shop", "android", self.public, member_id, session_id)
        return api.RegisterDevice(
            device_id=self.device_id, app="shop", platform="android", key=self.public, sequence=self.sequence,
            member_id=member_id, session_id=session_id, signature=self.signed("register", digest, front_end=front_end),
        )  # fmt: skip

    def proof(self, said: bytes = b"my basket") -> api.Prove:
        self.sequence += 1
        digest = hashlib.sha256(said).hexdigest()
        return api.Prove(
            device_id=self.device_id, sequence=self.sequence, digest=digest, signature=self.signed("prove", digest)
        )

    def rotation(self) -> api.RotateKey:
        self.sequence += 1
        was = self.new_key()
        digest = api.key_digest(self.public)
        return api.RotateKey(
            device_id=self.device_id, sequence=self.sequence, key=self.public,
            signature=self.signed("rotate", digest, was), new_signature=self.signed("rotate", digest),
        )  # fmt: skip


class Desk:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def call(self, capability: Any, ask: Value, front_end: str = "north") -> Any:
        return await self.platform.call(capability, ask, Caller(front_end=front_end, client="shop"))

    async def register(self, phone: Phone, **who: str) -> api.Device:
        return await self.call(api.register, phone.registration(**who))

    async def prove(self, phone: Phone, said: bytes = b"my basket") -> api.Proof:
        return await self.call(api.prove, phone.proof(said))


@pytest.fixture
async def desk(make_platform: MakePlatform) -> Desk:
    return Desk(await make_platform(PACK, TILL, NORTH, SOUTH))


@pytest.mark.parametrize("is_p256", [False, True])
async def test_a_device_signs_with_a_key_of_its_own_and_is_known_by_it(desk: Desk, is_p256: bool) -> None:
    phone = Phone(is_p256=is_p256)
    made = await desk.register(phone)
    assert (made.state, made.member_id) == ("active", ANN)
    proof = await desk.prove(phone)
    assert (proof.standing, proof.device.device_id) == ("good", phone.device_id)
    forged = phone.proof().replace(digest=hashlib.sha256(b"another basket").hexdigest())
    with pytest.raises(api.WrongSignature):
        await desk.call(api.prove, forged)
    with pytest.raises(api.WrongSignature):  # what was signed for one shop says nothing at another
        await desk.call(api.register, phone.registration(), "south")
    with pytest.raises(api.UnknownDevice):
        await desk.prove(Phone("nobody-knows-it"))


async def test_a_proof_that_got_no_answer_is_answered_again_and_a_number_is_good_once(desk: Desk) -> None:
    phone = Phone()
    first = phone.registration()
    assert await desk.call(api.register, first) == await desk.call(api.register, first)
    said = phone.proof()
    assert (await desk.call(api.prove, said)).standing == "good"
    assert (await desk.call(api.prove, said)).standing == "good"
    with pytest.raises(api.SequenceUsed):
        await desk.call(api.register, first)  # an older registration would bind it to whoever it was before


async def test_a_device_restored_from_a_backup_is_cut_off_and_registers_anew(desk: Desk) -> None:
    phone = Phone()
    await desk.register(phone)
    backup = phone.sequence
    await desk.prove(phone, b"first")
    await desk.prove(phone, b"second")
    phone.sequence = backup
    proof = await desk.prove(phone, b"third")
    assert (proof.standing, proof.device.reason) == ("cut-off", service.COPIED)
    phone.sequence = 100
    assert (await desk.prove(phone)).standing == "cut-off"
    with pytest.raises(api.DeviceTaken, match="is cut off"):
        await desk.register(phone)
    again = Phone("phone-of-ann-2")
    again.key = phone.key
    with pytest.raises(api.DeviceTaken, match="key of another device"):
        await desk.register(again)
    again.new_key()
    assert (await desk.register(again)).state == "active"


async def test_two_devices_with_one_key_and_id_are_found_out_when_both_have_spoken(desk: Desk) -> None:
    phone = Phone()
    await desk.register(phone)
    copy = Phone()
    copy.key, copy.sequence = phone.key, phone.sequence
    assert (await desk.prove(phone, b"mine")).standing == "good"
    assert (await desk.prove(copy, b"stolen")).standing == "cut-off"
    assert (await desk.prove(phone, b"mine again")).standing == "cut-off"


async def test_two_devices_with_one_id_are_told_apart_by_their_keys_and_a_stranger_cuts_nobody_off(desk: Desk) -> None:
    phone, other = Phone(), Phone()
    await desk.register(phone)
    await desk.prove(phone)
    with pytest.raises(api.DeviceTaken, match="has another key"):
        await desk.register(other)
    other.sequence = 0
    with pytest.raises(api.WrongSignature):
        await desk.prove(other)
    assert (await desk.prove(phone)).standing == "good"


async def test_a_key_is_rotated_by_both_keys_and_the_one_before_is_good_no_more(desk: Desk) -> None:
    phone = Phone()
    await desk.register(phone)
    was = phone.key
    rotation = phone.rotation()
    forged = rotation.replace(signature=rotation.new_signature)
    with pytest.raises(api.WrongSignature):
        await desk.call(api.rotate_key, forged)
    made = await desk.call(api.rotate_key, rotation)
    assert made == await desk.call(api.rotate_key, rotation)
    assert (await desk.prove(phone)).standing == "good"
    phone.key = was
    with pytest.raises(api.WrongSignature):
        await desk.prove(phone)


async def test_a_stolen_device_is_cut_off_at_once_on_every_server(desk: Desk, database_url: str) -> None:
    phones = [Phone(f"phone-of-ann-{number}") for number in range(3)]
    for phone in phones:
        await desk.register(phone)
    other = Desk(Platform(desk.platform.release, await Database.open(database_url)))
    assert (await other.prove(phones[0])).standing == "good"
    await desk.call(api.cut_off, api.CutOff(device_id=phones[0].device_id))
    assert (await other.prove(phones[0])).standing == "cut-off"
    assert (await other.prove(phones[1])).standing == "good"
    cut = await desk.call(api.cut_off, api.CutOff(member_id=ANN, reason="all of them"))
    assert set(cut.devices) == {"phone-of-ann-1", "phone-of-ann-2"}
    assert (await other.prove(phones[1])).standing == "cut-off"
    with pytest.raises(api.NobodyNamed):
        await desk.call(api.cut_off, api.CutOff())
    listed = await desk.call(api.list_devices, api.ListDevices(member_id=ANN))
    assert {one.state for one in listed.items} == {"cut-off"}
    store: Any = other.platform.store
    await store.close()


async def test_a_device_is_bound_to_the_session_that_its_person_signed_in_by(make_platform: MakePlatform) -> None:
    desk = Desk(await make_platform(PACK, ACCOUNT, TILL, NORTH))
    stands = next(one.stands for one in ACCOUNT.brings if hasattr(one, "stands"))  # type: ignore[attr-defined]
    resources: dict[type, object] = {service.Sessions: service.Sessions(stands)}
    desk.platform.resources = resources
    database: Any = desk.platform.store
    async with database.platform() as session:
        account = await session.fetch_value(
            "insert into account.account (address) values ('a@b.de') returning account_id"
        )
        sid = await session.fetch_value(
            "insert into account.session (hash, account_id, ends_at) values ('x', $1, now() + interval '1 day')"
            " returning session_id",
            account,
        )
    phone = Phone()
    await desk.register(phone, session_id=str(sid))
    assert (await desk.prove(phone)).standing == "good"
    async with database.platform() as session:
        await session.execute("delete from account.session")
    assert (await desk.prove(phone)).standing == "signed-out"
    await desk.register(phone, session_id="")
    assert (await desk.prove(phone)).standing == "good"


async def test_devices_of_who_is_forgotten_are_gone_and_a_member_has_only_so_many(desk: Desk) -> None:
    for number in range(api.DEVICES_MAX):
        await desk.register(Phone(f"phone-of-ann-{number}"))
    with pytest.raises(api.TooManyDevices):
        await desk.register(Phone("one-too-many"))
    await desk.register(Phone("of-another"), member_id=str(uuid4()))
    await desk.call(leave, Forget(member_ids=(UUID(ANN),)))
    listed = await desk.call(api.list_devices, api.ListDevices())
    assert [one.device_id for one in listed.items] == ["of-another"]


async def test_a_key_of_another_kind_is_refused(desk: Desk) -> None:
    phone = Phone()
    with pytest.raises(api.WrongKey):
        await desk.call(api.register, phone.registration().replace(key="00" * 40))
