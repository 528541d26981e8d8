"""Devices are registered, prove what they say, take another key, and are cut off."""

from __future__ import annotations

import hashlib

from isthmus.kernel import Context, implements, ports
from isthmus.manifest import Place, SignedIn, brought
from isthmus.personal import Forget, Forgotten

from . import api, rules, storage
from .api import DeviceState, Standing

ANOTHERS = "has another key"
COPIED = "a copy of it is about: it signed a number that was used"


class Sessions:
    """Who is signed in, where a pack of the platform knows; else a session stands as long as the device does."""

    def __init__(self, stands: str = "") -> None:
        self._stands = stands

    async def stands(self, session: ports.Session, session_id: str) -> bool:
        return not (self._stands and session_id) or bool(await session.fetch_value(self._stands, session_id))


def sessions_at(place: Place) -> Sessions:
    """Make what knows who is signed in."""
    found = next(iter(brought(place.packs, SignedIn)), None)
    return Sessions("" if found is None else found.stands)


@implements(api.register)
async def register(ask: api.RegisterDevice, ctx: Context) -> api.Device:
    digest = api.registration_digest(ask.app, ask.platform, ask.key, ask.member_id, ask.session_id)
    said = api.signed_bytes(ctx.front_end, ask.device_id, ask.sequence, "register", digest)
    _check(ask.key, said, ask.signature)
    row = await storage.find(ctx.session, ctx.front_end, ask.device_id)
    await _check_key(ask.device_id, ask.key, ctx)
    if row is not None:
        if row["key"] != ask.key:
            raise api.DeviceTaken(device_id=ask.device_id, because=ANOTHERS)
        if _is_again(row, ask.sequence, said):
            return storage.device(row)
        _check_use(row, ask.sequence)
    _check_attestation(ask, ask.app, ask.platform, ctx)
    is_more = ask.member_id and (row is None or row["member_id"] != ask.member_id)
    if is_more and await storage.active_of(ctx.session, ctx.front_end, ask.member_id) >= api.DEVICES_MAX:
        raise api.TooManyDevices
    made = await storage.put(ctx.session, ctx.front_end, ask, _hash(said))
    if made is None:
        raise api.DeviceTaken(device_id=ask.device_id, because=ANOTHERS)
    return made


@implements(api.prove)
async def prove(ask: api.Prove, ctx: Context) -> api.Proof:
    row = await _found(ask.device_id, ctx)
    said = api.signed_bytes(ctx.front_end, ask.device_id, ask.sequence, "prove", ask.digest)
    _check(row["key"], said, ask.signature)
    found = storage.device(row)
    if found.state is DeviceState.CUT_OFF:
        return api.Proof(device=found, standing=Standing.CUT_OFF)
    if not _is_again(row, ask.sequence, said):
        if ask.sequence <= row["sequence"]:
            await _cut(ask.device_id, None, COPIED, ctx)
            cut = found.replace(state=DeviceState.CUT_OFF, reason=COPIED)
            return api.Proof(device=cut, standing=Standing.CUT_OFF)
        found = await storage.seen(ctx.session, ctx.front_end, ask.device_id, ask.sequence, _hash(said))
    is_signed_in = await ctx.resource(Sessions, Sessions()).stands(ctx.session, row["session_id"])
    return api.Proof(device=found, standing=Standing.GOOD if is_signed_in else Standing.SIGNED_OUT)


@implements(api.rotate_key)
async def rotate_key(ask: api.RotateKey, ctx: Context) -> api.Device:
    row = await _found(ask.device_id, ctx)
    said = api.signed_bytes(ctx.front_end, ask.device_id, ask.sequence, "rotate", api.key_digest(ask.key))
    _check(ask.key, said, ask.new_signature, "$.new_signature")
    if row["key"] == ask.key and _is_again(row, ask.sequence, said):
        return storage.device(row)
    _check(row["key"], said, ask.signature)
    _check_use(row, ask.sequence)
    await _check_key(ask.device_id, ask.key, ctx)
    _check_attestation(ask, row["app"], row["platform"], ctx)
    return await storage.rotate(ctx.session, ctx.front_end, ask, _hash(said))


@implements(api.cut_off)
async def cut_off(ask: api.CutOff, ctx: Context) -> api.DevicesCutOff:
    if (ask.device_id is None) == (ask.member_id is None):
        raise api.NobodyNamed
    if ask.device_id is not None:
        await _found(ask.device_id, ctx)
    return api.DevicesCutOff(devices=tuple(await _cut(ask.device_id, ask.member_id, ask.reason, ctx)))


@implements(api.list_devices)
async def list_devices(ask: api.ListDevices, ctx: Context) -> api.DeviceList:
    return api.DeviceList(items=tuple(await storage.listed(ctx.session, ctx.front_end, ask)))


@implements(api.forget)
async def forget(ask: Forget, ctx: Context) -> Forgotten:
    await storage.forget(ctx.session, ctx.front_end, [str(one) for one in ask.member_ids])
    return Forgotten()


async def _found(device_id: str, ctx: Context) -> ports.Row:
    row = await storage.find(ctx.session, ctx.front_end, device_id)
    if row is None:
        raise api.UnknownDevice(device_id=device_id)
    return row


async def _cut(device_id: str | None, member_id: str | None, reason: str, ctx: Context) -> list[str]:
    devices = await storage.cut(ctx.session, ctx.front_end, device_id, member_id, reason)
    for one in devices:
        ctx.emit(api.DeviceCutOff(device_id=one, reason=reason))
    return devices


async def _check_key(device_id: str, key: str, ctx: Context) -> None:
    if await storage.has_key(ctx.session, ctx.front_end, device_id, key):
        raise api.DeviceTaken(device_id=device_id, because="has the key of another device: each has its own")


def _check_attestation(ask: api.RegisterDevice | api.RotateKey, app: str, platform: str, ctx: Context) -> None:
    new = api.NewKey(
        device_id=ask.device_id, app=app, platform=platform, key=ask.key, attestation=ask.attestation, at=ctx.now
    )
    verdict = ctx.answer(api.guard_key)(new)
    if not verdict.is_allowed:
        raise api.NotAttested(device_id=ask.device_id, reasons=[one.reason for one in verdict.vetoes])


def _check(key: str, said: bytes, signature: str, path: str = "$.signature") -> None:
    public = rules.public_key(key)
    if public is None:
        raise api.WrongKey
    if not rules.is_signed(public, said, signature):
        raise api.WrongSignature(path=path)


def _check_use(row: ports.Row, sequence: int) -> None:
    if row["state"] == DeviceState.CUT_OFF:
        raise api.DeviceTaken(device_id=row["device_id"], because="is cut off")
    if sequence <= row["sequence"]:
        raise api.SequenceUsed(sequence=sequence)


def _is_again(row: ports.Row, sequence: int, said: bytes) -> bool:
    is_last = bool(row["sequence"] == sequence and bytes(row["said"]) == _hash(said))
    return is_last and row["state"] == DeviceState.ACTIVE


def _hash(said: bytes) -> bytes:
    return hashlib.sha256(said).digest()
