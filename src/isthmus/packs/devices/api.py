"""Devices of apps, as others may name them: each with a key of its own, which signs what it says with a rising number.

    register ──▶ active ──prove, rotate-key──▶ active …
                   │
                   └── cut-off: lost, or its number went back ──▶ for good; the app registers under a new id

What is signed is `signed_bytes`: a number is good once. A device that was restored from a backup, or that two hold the
key of, signs a number that was there already; nobody can know which of them is the right one, so it is cut off.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import json
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Final

from isthmus.kernel import (
    ALLOW,
    Effect,
    Meta,
    Value,
    Verdict,
    capability,
    combine,
    errors,
    event,
    extension_point,
)
from isthmus.markings import Pii
from isthmus.personal import Forget, Forgotten
from isthmus.values import Code, Moment, PageSize

DEVICES_MAX: Final = 20  # active ones of one member at a front end

DeviceId = Annotated[str, Pii("identifier"), Meta(pattern=r"^[A-Za-z0-9._:-]{8,100}\Z")]
Sequence = Annotated[int, Meta(ge=1, le=2**53 - 1, description="one more each time that the device signs")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256, in hex")]
Key = Annotated[
    str, Meta(pattern=r"^([0-9a-f]{2}){32,200}\Z", description="public key: SubjectPublicKeyInfo, DER in hex")
]
Signature = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{128}\Z", description="64 bytes, in hex: Ed25519, or ES256 as r and s")
]
Attestation = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9+/=_.-]{0,20000}\Z", description="what a maker or a company vouches for the key with"),
]
Person = Annotated[str, Pii("identifier"), Meta(max_length=64)]
Session = Annotated[str, Pii("identifier"), Meta(max_length=100)]


class DeviceState(enum.StrEnum):
    ACTIVE = "active"
    CUT_OFF = "cut-off"


class Standing(enum.StrEnum):
    GOOD = "good"
    CUT_OFF = "cut-off"
    SIGNED_OUT = "signed-out"


class RegisterDevice(Value):
    """Register a device of an app, or bind it to who uses it now. signature: by its key, of `registration_digest`.

    session_id: the session that the person has signed in by (`sid` of their ID token); without one nobody is bound.
    """

    device_id: DeviceId
    app: Code
    platform: Code
    key: Key
    sequence: Sequence
    signature: Signature
    member_id: Person = ""
    session_id: Session = ""
    attestation: Attestation = ""


class NewKey(Value):
    """A key that a device is to have from now on, with what vouches for it. at: when that was asked."""

    device_id: DeviceId
    app: str
    platform: str
    key: Key
    attestation: str
    at: Moment


class Device(Value):
    """A device of an app. reason: why it is cut off."""

    device_id: DeviceId
    app: str
    platform: str
    member_id: Person
    state: DeviceState
    reason: str
    registered_at: Moment
    key_since: Moment
    seen_at: Moment


class Prove(Value):
    """Ask whether a device has said something. digest: of what it said, as whoever asks has received it."""

    device_id: DeviceId
    sequence: Sequence
    digest: Hash
    signature: Signature


class Proof(Value):
    """Who said it, and whether that counts: a device that is cut off, or whose person has signed out, says nothing."""

    device: Device
    standing: Standing


class RotateKey(Value):
    """Give a device another key. signature: by the key that it has; new_signature: by the new one."""

    device_id: DeviceId
    sequence: Sequence
    key: Key
    signature: Signature
    new_signature: Signature
    attestation: Attestation = ""


class CutOff(Value):
    """Name a device, or all devices of a member, and say why."""

    device_id: DeviceId | None = None
    member_id: Annotated[str, Pii("identifier"), Meta(min_length=1, max_length=64)] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=200)] = "reported as lost"


class DevicesCutOff(Value):
    """Those that are cut off now and were not before."""

    devices: tuple[DeviceId, ...]


class ListDevices(Value):
    """List devices, those seen last first."""

    member_id: Person = ""
    limit: PageSize = 50


class DeviceList(Value):
    """Devices."""

    items: tuple[Device, ...]


class UnknownDevice(errors.NotFound):
    """There is no such device."""

    slug = "devices.unknown-device"

    def __init__(self, *, device_id: str) -> None:
        super().__init__(f"no device {device_id!r} is registered", remedy="register it first", path="$.device_id")


class DeviceTaken(errors.Conflict):
    """Another device has this id: it has another key, or is cut off."""

    slug = "devices.device-taken"

    def __init__(self, *, device_id: str, because: str) -> None:
        super().__init__(f"device {device_id!r} {because}", remedy="register under a new id", path="$.device_id")


class WrongKey(errors.BadAsk):
    """A key is of no kind that is taken here."""

    slug = "devices.wrong-key"

    def __init__(self) -> None:
        remedy = "give a SubjectPublicKeyInfo of Ed25519 or P-256, DER in hex"
        super().__init__("this is no public key of Ed25519 or P-256", remedy=remedy, path="$.key")


class WrongSignature(errors.NotAuthenticated):
    """What was said is not signed by the device's key."""

    slug = "devices.wrong-signature"

    def __init__(self, *, path: str = "$.signature") -> None:
        remedy = "sign what isthmus.packs.devices.api.signed_bytes gives, with the key of the device"
        super().__init__("the signature is not of these bytes by this key", remedy=remedy, path=path)


class NotAttested(errors.RuleBroken):
    """The front end does not take a key with what vouches for it."""

    slug = "devices.not-attested"

    def __init__(self, *, device_id: str, reasons: Iterable[str]) -> None:
        fact = f"the key of device {device_id!r} is not taken: {'; '.join(reasons)}"
        super().__init__(fact, remedy="register with an attestation that the front end takes", path="$.attestation")


class SequenceUsed(errors.Conflict):
    """A number does not go on from the last one."""

    slug = "devices.sequence-used"

    def __init__(self, *, sequence: int) -> None:
        fact = f"the device has signed number {sequence} or a later one already"
        super().__init__(fact, remedy="sign with a higher number", path="$.sequence")


class TooManyDevices(errors.RuleBroken):
    """A member has as many devices as one may have."""

    slug = "devices.too-many-devices"

    def __init__(self) -> None:
        super().__init__(f"the member has {DEVICES_MAX} devices already", remedy="cut one off", path="$.member_id")


class NobodyNamed(errors.BadAsk):
    """Neither a device nor a member is named, or both are."""

    slug = "devices.nobody-named"

    def __init__(self) -> None:
        super().__init__("it is not said what is cut off", remedy="give device_id or member_id", path="$.device_id")


@event("devices.device-cut-off", version="1.0", subject="device_id")
class DeviceCutOff(Value):
    """Nothing is given to a device any more."""

    device_id: DeviceId
    reason: str


@extension_point("devices.guard-key", combine=combine.every, until=date(2027, 11, 30))
def guard_key(new: NewKey) -> Verdict:
    """Refuse a key that nobody vouches for. Default: every key is taken, and what is attested is not looked at.

    Asked when a device registers, and when its key takes turns. Of a company's own devices `is_vouched_for` reads
    certificates; the statements of makers have forms of their own, and so need answers of their own.
    """
    return ALLOW


@capability(
    "devices.register",
    version="1.0",
    effect=Effect.WRITE,
    raises=[DeviceTaken, WrongKey, WrongSignature, NotAttested, SequenceUsed, TooManyDevices],
)
def register(ask: RegisterDevice) -> Device:
    """Register a device with its public key; again with the same key, for who uses it now."""
    ...


@capability("devices.prove", version="1.0", effect=Effect.WRITE, raises=[UnknownDevice, WrongSignature])
def prove(ask: Prove) -> Proof:
    """Return which device has said something, and whether it counts.

    The same proof again is answered again. Another one with a number that was used cuts the device off, at once and on
    every server: a copy of it is about.
    """
    ...


@capability(
    "devices.rotate-key",
    version="1.0",
    effect=Effect.WRITE,
    raises=[UnknownDevice, DeviceTaken, WrongKey, WrongSignature, NotAttested, SequenceUsed],
)
def rotate_key(ask: RotateKey) -> Device:
    """Give a device another key: the one before is good no more."""
    ...


@capability("devices.cut-off", version="1.0", effect=Effect.WRITE, raises=[UnknownDevice, NobodyNamed])
def cut_off(ask: CutOff) -> DevicesCutOff:
    """Cut a device off for good, or all of a member: the next proof is refused, whichever server is asked."""
    ...


@capability("devices.list-devices", version="1.0", effect=Effect.READ)
def list_devices(ask: ListDevices) -> DeviceList:
    """List devices, those seen last first."""
    ...


@capability("devices.forget", version="1.0", effect=Effect.WRITE, is_internal=True)
def forget(ask: Forget) -> Forgotten:
    """Forget the devices of members."""
    ...


def signed_bytes(front_end: str, device_id: str, sequence: int, what: str, digest: str) -> bytes:
    """Return what a device signs. what: `register`, `prove` or `rotate`; digest: of what is meant, in hex."""
    said = ["isthmus-device/1", front_end, device_id, sequence, what, digest]
    return json.dumps(said, separators=(",", ":")).encode()


def registration_digest(app: str, platform: str, key: str, member_id: str, session_id: str) -> str:
    """Return the digest that a registration signs."""
    said = [app, platform, key, member_id, session_id]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def key_digest(key: str) -> str:
    """Return the digest that both keys sign when one takes the other's place."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_vouched_for(new: NewKey, roots: Iterable[bytes]) -> bool:
    """True where an attestation is a chain of certificates for the key, up to one of these roots, good at that time.

    The attestation has certificates in base64 (DER), the device's first, with a dot between two; the root is left out.
    roots: DER certificates of those who vouch for devices, such as a company's device management.
    """
    from cryptography import x509  # here: an api is read by many who look at no certificate
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def is_good(one: x509.Certificate, *, is_authority: bool) -> bool:
        if not one.not_valid_before_utc <= new.at <= one.not_valid_after_utc:
            return False
        found = [said.value for said in one.extensions if isinstance(said.value, x509.BasicConstraints)]
        return not is_authority or any(said.ca for said in found)

    try:
        own, *others = [x509.load_der_x509_certificate(base64.b64decode(one)) for one in new.attestation.split(".")]
        public = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public.hex() != new.key or not is_good(own, is_authority=False):
            return False
        for issued, issuer in zip([own, *others], others, strict=False):
            issued.verify_directly_issued_by(issuer)
            if not is_good(issuer, is_authority=True):
                return False
        last = others[-1] if others else own
        for root in map(x509.load_der_x509_certificate, roots):
            if root.subject == last.issuer and is_good(root, is_authority=True):
                last.verify_directly_issued_by(root)
                return True
    except (ValueError, TypeError, InvalidSignature):
        return False
    return False
