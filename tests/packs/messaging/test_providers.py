"""Providers of pushes against servers of their protocols: APNs over HTTP/2, and FCM's HTTP v1."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from isthmus.manifest import Secret
from isthmus.packs.messaging import api
from isthmus.packs.messaging.service.apns import APNS, ApnsPusher, ApnsSettings
from isthmus.packs.messaging.service.fcm import FCM, FcmPusher, FcmSettings

from .conftest import DAY, MakeDesk
from .services import Fcm, apns

TOKEN = "a1" * 32


def _pem(key: Any) -> Secret:
    return Secret("KEY", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _public(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


async def test_apple_is_asked_over_http_2_with_a_token_of_the_teams_key(make_desk: MakeDesk, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    async with apns(tmp_path) as service:
        settings = ApnsSettings(
            key=_pem(key),
            key_id="K1",
            team_id="T1",
            topic="org.example.shop",
            url=service.url,
            ca_file=str(service.ca_file),
        )
        pusher = APNS.make("ios", settings)
        assert isinstance(pusher, ApnsPusher)
        desk = await make_desk(pusher)
        ann = await desk.join("ann@example.org")
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, kind="apns", address=TOKEN))
        made = await desk.notify(ann, title="Here", body="it is", link="/orders/7", collapse_key="order-7")
        await desk.deliver()
        (request,) = service.taken
        assert (request["http"], request["path"]) == ("2", f"/3/device/{TOKEN}")
        headers = request["headers"]
        assert (headers["apns-topic"], headers["apns-collapse-id"], headers["apns-id"], headers["apns-priority"]) == (
            "org.example.shop", "order-7", str(made.message_id), "10",
        )  # fmt: skip
        assert request["said"] == {
            "aps": {"alert": {"title": "Here", "body": "it is"}}, "id": str(made.message_id), "link": "/orders/7",
        }  # fmt: skip
        token = jwt.decode(headers["authorization"].removeprefix("bearer "), ECKey.import_key(_public(key)))
        assert (token.header["kid"], token.claims["iss"]) == ("K1", "T1")
        service.answer = lambda request: (429, {"reason": "TooManyRequests"})
        await desk.notify(ann)
        await desk.deliver()
        assert sorted(await desk.states()) == ["sent", "waiting"]
        service.answer = lambda request: (410, {"reason": "Unregistered"})
        await desk.deliver(DAY + timedelta(minutes=5))
        await desk.notify(ann)
        await desk.deliver(DAY + timedelta(minutes=5))
        assert len(service.taken) == 3  # nobody is there: it is asked no more
        headers = service.taken[1]["headers"]
        assert headers["apns-collapse-id"] == headers["apns-id"]  # it is tried again, and shown once
        assert sorted(await desk.states()) == ["gone", "sent"]
        await pusher.close()
    assert (await pusher.push(_push(TOKEN))).state == "again"  # it is away
    assert (await pusher.push(_push("../../x"))).state == "gone"


async def test_google_gives_a_token_for_an_assertion_and_takes_messages_by_it(make_desk: MakeDesk) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    service = Fcm()
    async with service:
        url = f"http://127.0.0.1:{service.port}"
        settings = FcmSettings(
            project="shop",
            account="push@shop.iam.gserviceaccount.com",
            key=_pem(key),
            token_url=f"{url}/token",
            url=url,
        )
        pusher = FCM.make("android", settings)
        assert isinstance(pusher, FcmPusher)
        desk = await make_desk(pusher)
        ann = await desk.join("ann@example.org")
        await desk.call(api.add_endpoint, api.AddEndpoint(member_id=ann, kind="fcm", address="fcm-token-of-ann"))
        for title in ("Here", "Again"):
            await desk.notify(ann, title=title, link="/orders/7", collapse_key=f"key-{title}")
        await desk.deliver()
        assert len(service.assertions) >= 1
        claims = jwt.decode(service.assertions[0], RSAKey.import_key(_public(key))).claims
        assert (claims["iss"], claims["aud"]) == ("push@shop.iam.gserviceaccount.com", f"{url}/token")
        message = next(one for one in service.messages if one["notification"]["title"] == "Here")
        assert message["authorization"].startswith("Bearer access-")
        assert (message["token"], message["data"]["link"]) == ("fcm-token-of-ann", "/orders/7")
        assert message["android"]["collapse_key"] == "key-Here"
        service.answers = lambda said: (401, {"error": {"status": "UNAUTHENTICATED"}})
        await desk.notify(ann)
        await desk.deliver()
        assert sorted(await desk.states()) == ["sent", "sent", "waiting"]
        asked = len(service.assertions)
        unregistered = {"error": {"details": [{"@type": "x", "errorCode": "UNREGISTERED"}]}}
        service.answers = lambda said: (404, unregistered)
        await desk.deliver(DAY + timedelta(minutes=5))
        twice = [one for one in service.messages if one["notification"]["title"] == "Your parcel is here"]
        assert {one["android"]["notification"]["tag"] for one in twice} == {twice[0]["data"]["id"]}
        assert (len(service.assertions), sorted(await desk.states())) == (asked + 1, ["gone", "sent", "sent"])
        service.answers = lambda said: (404, {"error": {"status": "NOT_FOUND"}})
        assert (await pusher.push(_push("x" * 20))).state == "refused"  # it is the project that is not there


def _push(token: str) -> api.Push:
    from uuid import uuid4

    return api.Push(
        message_id=uuid4(), endpoint_id=uuid4(), kind="x", address=token, p256dh="", auth="", title="x", body="",
        link="", tag="", ttl_s=60, is_urgent=False, attempt=1,
    )  # fmt: skip
