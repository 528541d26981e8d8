"""Calls over HTTP: what is answered, what is refused, and how."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

TAKE_ONE = {"lines": [{"sku": "tea", "quantity": 1}]}


def problem_of(response: httpx.Response) -> dict[str, object]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["isthmus-call"]
    found = response.json()
    assert found["status"] == response.status_code
    assert found["type"] == f"/problems/{found['slug']}"
    assert found["call"] == response.headers["isthmus-call"]
    assert all(found[name] for name in ("title", "detail", "remedy"))
    return found


async def test_a_call_is_answered_in_json(north: httpx.AsyncClient) -> None:
    response = await north.post("/v1/shop.show-item", json={"sku": "tea"})
    assert (response.status_code, response.json()) == (200, {"sku": "tea", "stock": 20, "price": 100})
    assert response.headers["content-type"] == "application/json"


async def test_the_front_end_answers_its_extension_points(north: httpx.AsyncClient, south: httpx.AsyncClient) -> None:
    ask = {"sku": "jam", "kind": "presale"}
    prices = [(await client.post("/v1/shop.show-item", json=ask)).json()["price"] for client in (north, south)]
    assert prices == [80, 100]


async def test_a_refusal_says_what_is_wrong_where_and_what_to_do(north: httpx.AsyncClient) -> None:
    lines = [{"sku": "jam", "quantity": 1}, {"sku": "tea", "quantity": 21}]
    response = await north.post("/v1/shop.take-items", json={"lines": lines})
    assert response.status_code == 409
    assert {**problem_of(response), "call": ""} == {
        "type": "/problems/shop.stock-short",
        "title": "The shelf has less than was asked for",
        "status": 409,
        "detail": "too few of 'tea'",
        "slug": "shop.stock-short",
        "remedy": "take fewer",
        "path": "$.lines[1].quantity",
        "call": "",
        "lines": [{"sku": "tea", "wanted": 21}],
    }
    assert (await north.post("/v1/shop.show-item", json={"sku": "jam"})).json()["stock"] == 20


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "$"),
        (b"{", "$"),
        (b"\xff", "$"),
        (b"[]", "$"),
        (b"{}", "$.lines"),
        (b'{"lines":[]}', "$.lines"),
        (b'{"lines":[{"sku":"tea","quantity":"1"}]}', "$.lines[0].quantity"),
        (b'{"lines":[{"sku":"tea","quantity":0}]}', "$.lines[0].quantity"),
        (b'{"lines":[{"sku":"tea","quantity":1e999}]}', "$.lines[0].quantity"),
        (b'{"lines":[{"sku":"tea","quantity":1,"note":1}]}', "$.lines[0].note"),
        (b'{"lines":[{"sku":"t\\u0000a","quantity":1}]}', "$.lines[0].sku"),
        (b'{"lines":' + b"[" * 100_000, "$"),
    ],
)
async def test_a_wrong_ask_is_refused_with_its_path(north: httpx.AsyncClient, body: bytes, path: str) -> None:
    response = await north.post("/v1/shop.take-items", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert problem_of(response)["path"] == path


async def test_what_no_column_can_hold_is_refused_and_not_a_fault(north: httpx.AsyncClient) -> None:
    asks = [
        (b'{"body":"a\\u0000b","number":1}', "$.body"),
        (b'{"body":"","number":9223372036854775808}', "$.number"),
        (b'{"body":"","number":1,"tags":{"a\\u0000":"b"}}', "$.tags.a\\u0000"),
    ]
    for body, path in asks:
        response = await north.post("/v1/shop.write-note", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, problem_of(response)["path"]) == (400, path)


@pytest.mark.parametrize(
    ("at", "path"),
    [("9999-12-31T23:59:59-23:59", "$.at"), ("0001-01-01T00:00:00+23:59", "$.at"), ("2026-01-01T00:00:00", "$.at")],
)
async def test_a_time_that_no_column_can_hold_is_refused(north: httpx.AsyncClient, at: str, path: str) -> None:
    response = await north.post("/v1/shop.write-note", json={"body": "", "number": 1, "at": at})
    assert (response.status_code, problem_of(response)["path"]) == (400, path)


async def test_long_digits_and_a_written_out_nul_are_ordinary_text(north: httpx.AsyncClient) -> None:
    ask = {"body": "1" * 40 + r" \u0000", "number": 9223372036854775807}
    response = await north.post("/v1/shop.write-note", json=ask)
    assert response.status_code == 200
    assert response.json()["body"] == ask["body"]


async def test_a_misspelt_capability_is_not_found_with_the_near_name(north: httpx.AsyncClient) -> None:
    response = await north.post("/v1/shop.show-itme", json={})
    assert response.status_code == 404
    assert "did you mean 'shop.show-item'" in str(problem_of(response)["detail"])


async def test_a_capability_that_the_front_end_does_not_use_is_not_permitted(north: httpx.AsyncClient) -> None:
    response = await north.post("/v1/shop.wait", json={})
    assert (response.status_code, problem_of(response)["slug"]) == (403, "not-permitted")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/shop.show-item", 405, "POST, OPTIONS"),
        ("HEAD", "/v1/shop.show-item", 405, "POST, OPTIONS"),
        ("DELETE", "/v1/shop.show-item", 405, "POST, OPTIONS"),
        ("OPTIONS", "/v1/shop.show-item", 204, "POST, OPTIONS"),
        ("OPTIONS", "/health", 204, "GET, HEAD, OPTIONS"),
        ("POST", "/health", 405, "GET, HEAD, OPTIONS"),
        ("POST", "/v1/openapi.json", 405, "GET, HEAD, OPTIONS"),
        ("GET", "/v1/no.such", 404, None),
        ("GET", "/nowhere", 404, None),
        ("BREW", "/health", 405, "GET, HEAD, OPTIONS"),
    ],
)
async def test_methods_are_checked(
    north: httpx.AsyncClient, method: str, path: str, status: int, allow: str | None
) -> None:
    response = await north.request(method, path)
    assert (response.status_code, response.headers.get("allow")) == (status, allow)
    if status >= 400 and method != "HEAD":
        assert problem_of(response)["path"] == path


@pytest.mark.parametrize(
    ("headers", "status", "path"),
    [
        ({"Content-Type": "text/plain"}, 415, "Content-Type"),
        ({"Content-Type": "application/json; charset=latin-1"}, 415, "Content-Type"),
        ({"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        ({"Content-Length": "99999999999999999999999"}, 413, "$"),
        ({"Isthmus-Deadline-Ms": "soon"}, 400, "Isthmus-Deadline-Ms"),
        ({"Isthmus-Deadline-Ms": "99"}, 400, "Isthmus-Deadline-Ms"),
        ({"Isthmus-Explain": "please"}, 400, "Isthmus-Explain"),
        ({"Idempotency-Key": ""}, 400, "Idempotency-Key"),
        ({"Idempotency-Key": "k" * 256}, 400, "Idempotency-Key"),
    ],
)
async def test_wrong_headers_are_refused_by_name(
    north: httpx.AsyncClient, headers: dict[str, str], status: int, path: str
) -> None:
    response = await north.post("/v1/shop.take-items", json=TAKE_ONE, headers=headers)
    assert (response.status_code, problem_of(response)["path"]) == (status, path)


async def test_json_may_be_announced_with_its_charset(north: httpx.AsyncClient) -> None:
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    assert (await north.post("/v1/shop.take-items", json=TAKE_ONE, headers=headers)).status_code == 200


async def test_the_same_key_has_one_effect_and_says_when_it_answers_again(north: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    responses = await asyncio.gather(
        *(north.post("/v1/shop.take-items", json=TAKE_ONE, headers=headers) for _ in range(50))
    )
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    replayed = [response for response in responses if response.headers.get("idempotency-replayed") == "true"]
    assert len(replayed) == 49
    assert (await north.post("/v1/shop.show-item", json={"sku": "tea"})).json()["stock"] == 19


async def test_a_key_in_quotes_is_the_same_key(north: httpx.AsyncClient) -> None:
    await north.post("/v1/shop.take-items", json=TAKE_ONE, headers={"Idempotency-Key": "k1"})
    again = await north.post("/v1/shop.take-items", json=TAKE_ONE, headers={"Idempotency-Key": '"k1"'})
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_with_another_ask_is_refused(north: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    await north.post("/v1/shop.take-items", json=TAKE_ONE, headers=headers)
    other = {"lines": [{"sku": "jam", "quantity": 1}]}
    response = await north.post("/v1/shop.take-items", json=other, headers=headers)
    assert (response.status_code, problem_of(response)["slug"]) == (422, "idempotency-key-reused")


async def test_a_call_past_its_deadline_says_so(south: httpx.AsyncClient) -> None:
    response = await south.post("/v1/shop.wait", json={"seconds": 5}, headers={"Isthmus-Deadline-Ms": "100"})
    assert response.status_code == 504
    assert problem_of(response)["slug"] == "deadline-exceeded"
    assert response.headers["retry-after"] == "1"


async def test_trouble_says_when_to_come_again(south: httpx.AsyncClient) -> None:
    response = await south.post("/v1/shop.pay", json={})
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert problem_of(response)["detail"] == "till 3 is down"


async def test_a_fault_is_logged_in_full_and_told_without_its_inside(
    south: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "isthmus.gateway"):
        response = await south.post("/v1/shop.crash", json={})
    assert (response.status_code, problem_of(response)["slug"]) == (500, "fault")
    assert "secret" not in response.text
    assert response.headers["isthmus-call"] in caplog.text
    assert "secret-of-the-shop" in caplog.text


async def test_the_trace_of_the_caller_goes_on(north: httpx.AsyncClient) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    response = await north.post("/v1/shop.show-item", json={"sku": "tea"}, headers=sent)
    version, trace_id, span, flags = response.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", trace, "01")
    assert span != "00f067aa0ba902b7"
    wrong = await north.post("/v1/shop.show-item", json={"sku": "tea"}, headers={"traceparent": "00-0-0-0"})
    assert wrong.headers["traceparent"].split("-")[1] == wrong.headers["isthmus-call"].replace("-", "")


async def test_sixty_four_buyers_of_twenty_items_get_twenty(north: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(north.post("/v1/shop.take-items", json=TAKE_ONE) for _ in range(64)))
    slugs = [problem_of(response)["slug"] for response in responses if response.status_code != 200]
    assert slugs == ["shop.stock-short"] * 44
    assert (await north.post("/v1/shop.show-item", json={"sku": "tea"})).json()["stock"] == 0


async def test_what_is_deprecated_says_so_and_until_when_and_what_comes_after(south: httpx.AsyncClient) -> None:
    answer = await south.post("/v1/shop.doze", json={})
    assert answer.status_code == 200
    assert answer.headers["deprecation"] == "@1767225600"  # 2026-01-01, as RFC 9745 writes it
    assert answer.headers["sunset"] == "Wed, 01 Jul 2026 00:00:00 GMT"
    assert answer.headers["link"] == '</v1/shop.wait>; rel="successor-version"'
    document = (await south.get("/v1/openapi.json")).json()
    assert document["paths"]["/v1/shop.doze"]["post"]["deprecated"] is True
    assert "deprecation" not in (await south.post("/v1/shop.wait", json={})).headers
