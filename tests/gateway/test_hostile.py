"""Hostile input over every route of a real server: never a 500, always a problem document, never half an effect."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LIMITS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CALLS = ["/v1/shop.show-item", "/v1/shop.take-items", "/v1/shop.write-note"]
PAGES = ["/health", "/ready", "/docs", "/docs/north", "/docs/north/openapi.json", "/v1/openapi.json", "/v1/calls/"]
ASKS: list[Any] = [
    {"sku": "tea", "kind": "presale"},
    {"lines": [{"sku": "tea", "quantity": 100}, {"sku": "jam", "quantity": 1}]},
    {"body": "", "number": 1, "at": "2026-01-01T00:00:00Z", "tags": {"a": "b"}},
]

odd_times = ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00"]
odd_texts = st.sampled_from(
    ["", "\0", "a\0b", "\ud800", "\uffff", "𝕏", "'; drop table x; --", "x" * 3000, "-0", *odd_times]
)
odd_numbers = st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, 1e308, -0.0, 0.1])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text() | odd_texts | odd_numbers
anything = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
headers_sent = st.dictionaries(
    st.sampled_from(
        ["Idempotency-Key", "Isthmus-Deadline-Ms", "Isthmus-Explain", "traceparent", "Content-Type", "Accept"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")).map(str.strip),
)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """Give a call, and its ask with something in it replaced, taken out or added."""
    place = draw(st.integers(0, len(CALLS) - 1))
    ask = json.loads(json.dumps(ASKS[place]))
    node = ask
    for _ in range(draw(st.integers(0, 2))):
        inner = [item for item in (node.values() if isinstance(node, dict) else node) if isinstance(item, (dict, list))]
        node = draw(st.sampled_from(inner)) if inner else node
    if isinstance(node, list):
        node.append(draw(anything))
    elif draw(st.booleans()) and node:
        node[draw(st.sampled_from(sorted(node)))] = draw(anything)
    elif node:
        del node[draw(st.sampled_from(sorted(node)))]
    return CALLS[place], json.dumps(ask).encode()


def check(response: httpx.Response) -> None:
    """Every answer is good, or a problem document that says where."""
    assert response.status_code < 500, (response.request.url, response.request.content, response.text)
    if response.status_code >= 400 and response.request.method != "HEAD":
        assert response.headers["content-type"] == "application/problem+json"
        found = response.json()
        assert found["status"] == response.status_code
        assert all(found[name] for name in ("type", "title", "detail", "slug", "remedy", "path", "call"))


def stock(client: httpx.Client) -> list[int]:
    return [client.post(CALLS[0], json={"sku": sku}).json()["stock"] for sku in ("tea", "jam")]


@LIMITS
@given(call=spoilt())
def test_spoilt_asks(north_served: httpx.Client, call: tuple[str, bytes]) -> None:
    path, body = call
    before = stock(north_served)
    response = north_served.post(path, content=body, headers={"Content-Type": "application/json"})
    check(response)
    taken = response.json()["lines"] if response.is_success and path == CALLS[1] else []
    per_sku = [sum(line["quantity"] for line in taken if line["sku"] == sku) for sku in ("tea", "jam")]
    assert stock(north_served) == [had - took for had, took in zip(before, per_sku, strict=True)]


@LIMITS
@given(path=st.sampled_from(CALLS), body=st.binary() | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_body(north_served: httpx.Client, path: str, body: bytes) -> None:
    response = north_served.post(path, content=body, headers={"Content-Type": "application/json"})
    check(response)


@LIMITS
@given(headers=headers_sent)
def test_any_headers(north_served: httpx.Client, headers: dict[str, str]) -> None:
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    response = north_served.post(CALLS[2], json=ASKS[2], headers=sent)  # type: ignore[arg-type]
    check(response)


@LIMITS
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]),
    root=st.sampled_from(["/", "/v1/", "/v1/calls/", "/docs/", "/problems/", *CALLS, *PAGES]),
    rest=st.text(),
)
def test_any_path_and_method(north_served: httpx.Client, method: str, root: str, rest: str) -> None:
    path = root + quote(rest.encode("utf-8", "surrogatepass"))
    response = north_served.request(method, path, json={})
    if response.headers.get("content-type") != "text/html; charset=utf-8":
        check(response)


def test_what_the_api_document_leads_to(north_served: httpx.Client) -> None:
    """Schemathesis makes asks of every operation from its schema, right and wrong, and checks answers against it."""
    schema = schemathesis.openapi.from_dict(north_served.get("/v1/openapi.json").json())
    schema.config.generation.allow_x00 = False  # the document says so in words
    schema.config.checks.negative_data_rejection.expected_statuses.append("413")  # what is wrong may be long, too
    key = north_served.headers["authorization"]
    whole_numbers_have_no_point = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")  # 1.0 is refused  # pyright: ignore[reportAttributeAccessIssue]
    seen: set[str] = set()

    for found in schema.get_all_operations():
        operation = found.ok()  # pyright: ignore[reportAttributeAccessIssue]
        assert operation is not None
        seen.add(operation.label)

        @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(
            case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
        )
        def send(case: Any) -> None:
            case.call_and_validate(
                base_url=str(north_served.base_url),
                headers={
                    "Isthmus-Deadline-Ms": "60000",
                    **(case.headers or {}),
                    "Authorization": key,
                },  # a busy machine
                excluded_checks=[whole_numbers_have_no_point],
            )

        send()
    assert {f"POST {path}" for path in CALLS} < seen


def test_a_body_that_is_too_large_or_too_slow_is_refused(served: tuple[str, str]) -> None:
    address, key = served
    authorization = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def pieces() -> Any:
        yield from (b" " * 1000 for _ in range(11))

    with httpx.Client(base_url=address, headers=authorization) as client:
        for body in (b" " * 10_001, pieces()):
            response = client.post(CALLS[0], content=body)
            assert (response.status_code, response.json()["slug"]) == (413, "gateway.body-too-large")
    with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port)) as connection:
        head = [f"POST {CALLS[0]} HTTP/1.1", "Host: shop", "Content-Length: 9"]
        head += [f"{name}: {value}" for name, value in authorization.items()]
        connection.sendall(("\r\n".join(head) + "\r\n\r\n{").encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"gateway.body-too-slow" in answer


@pytest.mark.parametrize("body", [b"hello", b"POST / HTTP/1.1\r\n\r\n", b"GET /health HTTP/9.9\r\n\r\n"])
def test_the_server_outlives_what_is_not_http(served: tuple[str, str], body: bytes) -> None:
    address, _ = served
    with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port)) as connection:
        connection.sendall(body + b"\r\n\r\n")
        connection.recv(4096)
    assert httpx.get(f"{address}/health").json() == {"status": "up"}
