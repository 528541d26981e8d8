"""What no page of a shop sends is answered in words and below 500, and every answer keeps the browser safe."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.responses import Response

from isthmus_storefront import Refused, make, session

CODES = ("brand", "fresh", "market")
SECRET = b"secret"
SAFE_HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")
DIGITS = ["\u00b2", "9" * 5_000, "\u0663", "-1", "1.0", "", " 1", "1e3", "0x1"]


class Silent:
    """A platform that knows one order and one payment, and refuses the rest as the real one does."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []

    async def call(self, capability: str, ask: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        httpx.Headers({"Idempotency-Key": key or "none"})
        self.keys.append(key)
        if capability == "order.get-order":
            return {"order_id": "one", "member_id": "ada", "state": "shipped", "group_id": "g"}
        raise Refused({"slug": "shop.test", "status": 422, "detail": f"{capability} was called"})

    async def close(self) -> None: ...


@asynccontextmanager
async def opened(
    code: str, kept: Mapping[str, Any] | None = None, platform: Silent | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a shop over a platform of few words, for a shopper who holds this in her cookie."""
    shop = importlib.import_module(f"front_ends.{code}.shop.app").SHOP
    made = make(shop, "http://127.0.0.1:9", "key", SECRET)
    made.state.platform, made.state.secret, made.state.departments = platform or Silent(), SECRET, {}
    transport = httpx.ASGITransport(made, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop:8081") as client:
        if kept is not None:
            reply = Response()
            session.write(reply, shop.cookie, dict(kept), SECRET)
            client.cookies.set(shop.cookie, reply.headers["set-cookie"].partition("=")[2].partition(";")[0])
        yield client


SHOPPER = {"member_id": "ada", "basket_id": "b", "count": 1, "payments": ["p"]}
POSTS = ("/basket", "/checkout", "/pay/p", "/orders/one/return", "/sign-in")
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "not UTF-8": (b"sku=\xff&quantity=\xff", "application/x-www-form-urlencoded"),
    "badly escaped": (b"sku=%zz&quantity=%", "application/x-www-form-urlencoded"),
    "escaped bytes": (b"sku=%ff&quantity=%fe", "application/x-www-form-urlencoded"),
    "parts": (b"--x\r\n", "multipart/form-data; boundary=x"),
    "parts without a bound": (b"--x\r\n", "multipart/form-data"),
    "JSON": (b'{"sku": 1}', "application/json"),
    "many fields": (b"&".join(b"line-%d=1" % number for number in range(5_000)), "application/x-www-form-urlencoded"),
    "much": (b"note=" + b"a" * 200_000, "application/x-www-form-urlencoded"),
    "names only": (b"sku&quantity&key&token&email&name&expected", "application/x-www-form-urlencoded"),
    "other names": (b"a=b", "text/plain"),
    "NUL": (b"sku=%00&quantity=1&key=%00&token=%00&email=%00&name=%00", "application/x-www-form-urlencoded"),
}


def check(reply: httpx.Response) -> None:
    assert reply.status_code < 500, reply.text[:500]
    for name in SAFE_HEADERS:
        assert name in reply.headers
    assert "unsafe-inline" not in reply.headers["content-security-policy"].partition("style-src-attr")[0]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("body", "kind"), BODIES.values(), ids=BODIES)
async def test_a_malformed_form_is_answered_in_words(code: str, body: bytes, kind: str) -> None:
    for kept in (None, {}, SHOPPER, {"member_id": "ada"}):
        async with opened(code, kept) as shop:
            for path in POSTS:
                reply = await shop.post(path, content=body, headers={"content-type": kind})
                check(reply)
                assert reply.status_code >= 300 or path == "/checkout"


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("digits", DIGITS)
async def test_digits_that_are_no_number_are_refused_and_never_counted(code: str, digits: str) -> None:
    key = str(uuid4())
    async with opened(code, SHOPPER) as shop:
        reply = await shop.post("/basket", data={"sku": "tea", "quantity": digits, "key": key})
        check(reply)
        assert reply.status_code == 400
        for name, value in (("line-1", digits), (f"line-{digits}", "1")):
            back = await shop.post("/orders/one/return", data={name: value, "key": key})
            check(back)
        check(await shop.post("/checkout", data={"expected": digits, "key": key}))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("key", ["", "a\r\nX: 1", "caf\u00e9", "\u2603", "x" * 10_000])
async def test_a_key_that_no_header_holds_is_refused(code: str, key: str) -> None:
    async with opened(code, SHOPPER) as shop:
        reply = await shop.post("/pay/p", data={"token": "approve", "key": key})
    check(reply)
    assert reply.status_code == 400
    assert "cannot be read" in reply.text


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("cookie", ["\u00e9.\u00e9", ".", "a.b.c", "x" * 5_000, "W10=.", "\u00b2"])
async def test_any_cookie_is_a_stranger(code: str, cookie: str) -> None:
    async with opened(code) as shop:
        for path in ("/orders", "/basket", "/pay/p", "/orders/one"):
            reply = await shop.get(path, headers=[(b"cookie", f"{code}_shop={cookie}".encode())])  # type: ignore[arg-type]
            check(reply)


@pytest.mark.parametrize("code", CODES)
async def test_no_page_of_elsewhere_posts_and_no_redirect_leads_there(code: str) -> None:
    async with opened(code, SHOPPER) as shop:
        for headers in ({"Origin": "http://shop:9999"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
            reply = await shop.post("/sign-out", headers=headers)
            check(reply)
            assert reply.status_code == 403
        for headers in ({"Origin": "http://shop:8081"}, {"Sec-Fetch-Site": "same-origin"}, {}):
            assert (await shop.post("/sign-out", headers=headers)).status_code == 303
        slash = await shop.get("/orders/", headers={"Host": "evil.example"})
        assert "evil" not in slash.headers.get("location", "")


class Strange(Silent):
    """A platform with a basket of what no product is, which another window may have filled meanwhile."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines

    async def call(self, capability: str, ask: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        if capability in ("order.get-basket", "order.set-lines"):
            lines = [{"sku": f"nothing-{at}", "quantity": 1, "attributes": {}} for at in range(self.lines)]
            return {"basket_id": "b", "lines": lines, "coupons": []}
        if capability in ("catalog.describe-skus", "fulfilment.list-slots"):
            return {"items": []}
        return await super().call(capability, ask, key)


@pytest.mark.parametrize("code", CODES)
async def test_a_basket_of_what_no_product_is_can_be_seen_and_emptied(code: str) -> None:
    async with opened(code, SHOPPER, Strange(2)) as shop:
        reply = await shop.get("/basket")
        check(reply)
        assert "nothing-0" in reply.text
        check(await shop.post("/basket", data={"sku": "nothing-0", "quantity": "0"}))
        check(await shop.post("/checkout", data={"see": "1"}))
