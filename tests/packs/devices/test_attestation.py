"""Attestation: a front end says which keys it takes; a company's own devices are vouched for by certificates."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from isthmus.kernel import ALLOW, Caller, FrontEnd, Platform, Verdict, answers, veto
from isthmus.packs.account.pack import PACK as ACCOUNT
from isthmus.packs.devices import api
from isthmus.packs.devices.pack import PACK
from tests.packs.conftest import MakePlatform

from .test_devices import Phone

NOW = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)


class Authority:
    """What a company manages its devices with: it issues certificates for their keys."""

    def __init__(self, name: str, issuer: Authority | None = None, *, is_authority: bool = True) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.is_authority = is_authority
        self.certificate = (issuer or self).issue(self.key.public_key(), self.name, is_authority=is_authority)

    def issue(
        self, key: Any, name: x509.Name, *, is_authority: bool = False, until: datetime = NOW + timedelta(days=1)
    ) -> x509.Certificate:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - timedelta(days=1))
        made = made.not_valid_after(until)
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return made.sign(self.key, hashes.SHA256())

    def attested(self, phone: Phone, *others: x509.Certificate, **more: Any) -> str:
        own = self.issue(phone.key.public_key(), x509.Name([]), **more)
        return ".".join(base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in (own, *others))


ROOT = Authority("devices of the group")
SHOPS = Authority("devices of the shops", ROOT)
STRANGER = Authority("devices of the group")  # the same name, and another key


@answers(api.guard_key)
def only_our_own_devices(new: api.NewKey) -> Verdict:
    roots = [ROOT.certificate.public_bytes(Encoding.DER)]
    return ALLOW if api.is_vouched_for(new, roots) else veto("it is no device of the group")


@answers(api.guard_key)
def only_browsers(new: api.NewKey) -> Verdict:
    return ALLOW if new.platform == "web" else veto("this shop is in browsers only")


NORTH = FrontEnd(code="north", name="North", owner="n", uses=("devices.*",), answers=(only_our_own_devices,))
SOUTH = FrontEnd(code="south", name="South", owner="s", uses=("devices.*",), answers=(only_browsers,))
WEST = FrontEnd(code="west", name="West", owner="w", uses=("devices.*",))


@pytest.fixture
async def platform(make_platform: MakePlatform) -> Platform:
    return await make_platform(PACK, ACCOUNT, NORTH, SOUTH, WEST)


async def asked(platform: Platform, capability: Any, ask: Any, front_end: str = "north") -> Any:
    return await platform.call(capability, ask, Caller(front_end=front_end, client="app"), now=NOW)


async def test_a_device_that_its_company_vouches_for_is_registered_and_takes_another_key_that_it_vouches_for(
    platform: Platform,
) -> None:
    phone = Phone(is_p256=True)
    made = phone.registration().replace(attestation=SHOPS.attested(phone, SHOPS.certificate))
    assert (await asked(platform, api.register, made)).state is api.DeviceState.ACTIVE
    key = phone.key
    with pytest.raises(api.NotAttested, match="'phone-of-ann' is not taken: it is no device of the group"):
        await asked(platform, api.rotate_key, phone.rotation())
    phone.key = key
    again = phone.rotation()
    await asked(platform, api.rotate_key, again.replace(attestation=ROOT.attested(phone)))


@pytest.mark.parametrize("case", ["nothing", "words", "another key", "a stranger", "over", "no authority", "no chain"])
async def test_a_key_that_nobody_of_the_company_vouches_for_is_refused(platform: Platform, case: str) -> None:
    phone, other = Phone(is_p256=True), Phone("phone-of-bob", is_p256=True)
    pawn = Authority("a device", ROOT, is_authority=False)
    said = {
        "nothing": "",
        "words": "trust.me",
        "another key": ROOT.attested(other),
        "a stranger": STRANGER.attested(phone),
        "over": ROOT.attested(phone, until=NOW - timedelta(seconds=1)),
        "no authority": pawn.attested(phone, pawn.certificate),
        "no chain": SHOPS.attested(phone),
    }[case]
    with pytest.raises(api.NotAttested):
        await asked(platform, api.register, phone.registration().replace(attestation=said))
    listed = await asked(platform, api.list_devices, api.ListDevices())
    assert listed.items == ()


async def test_each_front_end_says_for_itself_and_without_an_answer_every_key_is_taken(platform: Platform) -> None:
    with pytest.raises(api.NotAttested, match="this shop is in browsers only"):
        await asked(platform, api.register, Phone().registration(front_end="south"), "south")
    found = await asked(platform, api.register, Phone().registration(front_end="west"), "west")
    assert found.state is api.DeviceState.ACTIVE
