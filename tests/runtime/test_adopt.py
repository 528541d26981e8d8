"""An existing service becomes a pack: a real one, on a real port, with its own ideas of what is right."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from isthmus.cli import main_app
from isthmus.kernel import Caller, FrontEnd, Pack, Platform, Registry, errors
from isthmus.runtime.adopt import service as adopt_service
from isthmus.runtime.adopt.adopt import Adoption, NoDocument, adopted_pack, capability_name
from isthmus.store import Database

NORTH = Caller(front_end="north", client="n")
ORDER = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "integer"},
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        "note": {"type": ["string", "null"]},
        "part-of": {"$ref": "#/components/schemas/Order"},
    },
}
LINE = {
    "type": "object",
    "required": ["sku", "count"],
    "properties": {"sku": {"type": "string", "maxLength": 8}, "count": {"type": "integer", "minimum": 1}},
}
PLACED = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "The old ERP", "version": "7"},
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {"operationId": "getOrder", "summary": "Return an order", "responses": {"200": PLACED}},
            "delete": {"operationId": "dropOrder", "responses": {"204": {}}},
        },
        "/orders": {
            "get": {
                "operationId": "listOrders",
                "parameters": [
                    {"name": "state", "in": "query", "schema": {"enum": ["open", "closed"]}},
                    {"name": "X-Site", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"type": "array", "items": {"type": "integer"}}}}
                    }
                },
            },
            "post": {
                "operationId": "placeOrder",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["lines"],
                                "properties": {
                                    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}}
                                },
                            }
                        }
                    },
                },
                "responses": {"201": PLACED},
            },
        },
    },
    "components": {
        "schemas": {"Order": ORDER, "Line": LINE},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
}


@dataclass
class Erp:
    """The service: it keeps orders, wants a key, and can be told to fail."""

    failing: int = 0
    strange: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.method, str(request.url.path), dict(request.headers)))
        if self.failing:
            self.failing -= 1
            return Response(status_code=503)
        if request.headers.get("x-key") != "s3cret":
            return Response(status_code=401)
        return await self._known(request)

    async def _known(self, request: Request) -> Response:
        if "id" in request.path_params:
            number = int(request.path_params["id"])
            if number not in self.orders:
                return JSONResponse({"message": f"no order {number}"}, status_code=404)
            if request.method == "DELETE":
                del self.orders[number]
                return Response(status_code=204)
            return JSONResponse(self.orders[number] if not self.strange else {"id": "seven"})
        if request.method == "POST":
            body = await request.json()
            if len(body["lines"]) > 2:
                return JSONResponse({"detail": "two lines at most", "path": "$.lines"}, status_code=422)
            number = len(self.orders) + 1
            self.orders[number] = {"id": number, **body, "secret_column": 1}
            return JSONResponse(self.orders[number], status_code=201)
        return JSONResponse(sorted(self.orders) if request.query_params.get("state") != "closed" else [])


@pytest.fixture
def erp() -> Iterator[tuple[Erp, str]]:
    """Give the service and its address."""
    erp = Erp()
    routes = [
        Route("/orders/{id}", erp.answer, methods=["GET", "DELETE"]),
        Route("/orders", erp.answer, methods=["GET", "POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off"))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield erp, f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def adoption(tmp_path: Path, url: str, document: dict[str, Any] | None = None, **facts: Any) -> Adoption:
    file = tmp_path / "erp.json"
    file.write_text(json.dumps(document or DOCUMENT))
    return Adoption(name="erp", document=file, url=url, secret="ERP_KEY", **facts)


@pytest.fixture
def shop(database: Database, erp: tuple[Erp, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Give a platform on which north uses the service."""
    monkeypatch.setenv("ERP_KEY", "s3cret")
    pack = adopted_pack(adoption(tmp_path, erp[1]))
    north = FrontEnd(code="north", name="North", owner="n", uses=("erp.*",))
    return Platform(Registry().add(pack, north).freeze(), database)


async def ask(shop: Platform, name: str, body: object, key: str | None = None) -> Any:
    answer, _ = await shop.call_wire(name, json.dumps(body).encode(), NORTH, key=key)
    return json.loads(answer)


async def test_each_operation_is_a_capability_with_the_contract_of_the_document(shop: Platform) -> None:
    offered = {name: one.capability.effect.value for name, one in shop.release.offered.items()}
    assert offered == {
        "erp.get-order": "read",
        "erp.list-orders": "read",
        "erp.place-order": "steps",
        "erp.drop-order": "steps",
    }
    placed = await ask(shop, "erp.place-order", {"lines": [{"sku": "tea", "count": 2}]})
    assert placed == {"id": 1, "lines": [{"sku": "tea", "count": 2}]}  # what the document does not name is dropped
    assert await ask(shop, "erp.get-order", {"id": 1}) == placed
    assert await ask(shop, "erp.list-orders", {"state": "open", "X-Site": "kiel"}) == {"value": [1]}
    assert await ask(shop, "erp.list-orders", {"state": "closed"}) == {"value": []}
    assert await ask(shop, "erp.drop-order", {"id": 1}) == {}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"lines": [{"sku": "tea", "count": 0}]}, "$.lines[0].count"),
        ({"lines": [{"sku": "much too long", "count": 1}]}, "$.lines[0].sku"),
        ({"lines": [], "colour": "red"}, "$.colour"),
        ({}, "$.lines"),
    ],
)
async def test_a_wrong_ask_is_refused_with_its_path_before_the_service_sees_it(
    shop: Platform, erp: tuple[Erp, str], body: object, path: str
) -> None:
    with pytest.raises(errors.BadAsk) as refused:
        await ask(shop, "erp.place-order", body)
    assert refused.value.path == path
    assert erp[0].asked == []


async def test_a_refusal_of_the_service_is_one_here_with_its_words_and_path(shop: Platform) -> None:
    three = {"lines": [{"sku": "tea", "count": 1}] * 3}
    with pytest.raises(adopt_service.ServiceRefused, match="two lines at most") as refused:
        await ask(shop, "erp.place-order", three)
    assert refused.value.path == "$.lines"
    with pytest.raises(adopt_service.NotThere, match="no order 9"):
        await ask(shop, "erp.get-order", {"id": 9})


async def test_what_reads_is_tried_again_and_what_writes_is_sent_once(shop: Platform, erp: tuple[Erp, str]) -> None:
    erp[0].failing = 2
    assert await ask(shop, "erp.list-orders", {}) == {"value": []}
    erp[0].failing = 1
    with pytest.raises(adopt_service.ServiceDown):
        await ask(shop, "erp.place-order", {"lines": []})
    assert [method for method, _, _ in erp[0].asked] == ["GET", "GET", "GET", "POST"]


async def test_the_same_key_reaches_the_service_once_and_carries_one_idempotency_key(
    shop: Platform, erp: tuple[Erp, str]
) -> None:
    for _ in range(3):
        await ask(shop, "erp.place-order", {"lines": []}, key="one-order")
    assert len(erp[0].orders) == 1
    sent = [headers["idempotency-key"] for method, _, headers in erp[0].asked if method == "POST"]
    assert len(sent) == 1


async def test_a_service_that_is_down_is_left_alone_for_a_while(shop: Platform, erp: tuple[Erp, str]) -> None:
    erp[0].failing = adopt_service.FAILURES_MAX
    for _ in range(adopt_service.FAILURES_MAX):
        with pytest.raises(adopt_service.ServiceDown):
            await ask(shop, "erp.drop-order", {"id": 1})
    before = len(erp[0].asked)
    with pytest.raises(adopt_service.ServiceDown, match="left alone"):
        await ask(shop, "erp.list-orders", {})
    assert len(erp[0].asked) == before


async def test_an_answer_that_is_otherwise_than_the_document_says_is_trouble_and_not_a_wrong_answer(
    shop: Platform, erp: tuple[Erp, str]
) -> None:
    await ask(shop, "erp.place-order", {"lines": []})
    erp[0].strange = True
    with pytest.raises(adopt_service.ServiceDown, match="otherwise than its document says"):
        await ask(shop, "erp.get-order", {"id": 1})


async def test_a_credential_that_is_missing_or_wrong_names_its_variable(
    shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERP_KEY", "wrong")
    with pytest.raises(adopt_service.ServiceDown, match="401") as refused:
        await ask(shop, "erp.list-orders", {})
    assert "ERP_KEY" in refused.value.remedy
    monkeypatch.delenv("ERP_KEY")
    with pytest.raises(adopt_service.ServiceDown, match="ERP_KEY is not set"):
        await ask(shop, "erp.list-orders", {})


def test_what_a_pack_of_ones_own_does_by_now_is_left_out(tmp_path: Path) -> None:
    pack: Pack = adopted_pack(adoption(tmp_path, "http://erp", leave_out=("get-order",)))
    assert "erp.get-order" not in {one.name for one in pack.capabilities().values()}


@pytest.mark.parametrize("text", ["{}", '{"openapi": "2.0", "paths": {"/a": {}}}', "[1", ""])
def test_what_is_no_document_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "erp.json"
    file.write_text(text)
    with pytest.raises(NoDocument):
        adopted_pack(Adoption(name="erp", document=file, url="http://erp"))


@pytest.mark.parametrize(
    ("operation_id", "method", "path", "name"),
    [
        ("getOrderById", "get", "/", "get-order-by-id"),
        ("HTTPStatus", "get", "/", "http-status"),
        ("", "post", "/orders/{id}/lines", "post-orders-id-lines"),
        ("2fa.enable", "post", "/", "do-2fa-enable"),
    ],
)
def test_names_follow_from_the_document(operation_id: str, method: str, path: str, name: str) -> None:
    assert capability_name(operation_id, method, path) == name


def test_the_command_keeps_the_document_and_the_service_is_in_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "isthmus.toml").write_text("")
    document = tmp_path / "service.json"
    document.write_text(json.dumps(DOCUMENT))
    command = ["adopt", str(document), "--name", "erp", "--url", "http://127.0.0.1:9", "--secret", "ERP_KEY"]
    made = CliRunner().invoke(main_app, command, env={"COLUMNS": "200"})
    assert made.exit_code == 0, made.output
    assert "erp.place-order" in made.output
    again = CliRunner().invoke(main_app, ["adopt", str(document), "--name", "crm", "--url", "http://[::1]:9", "--json"])
    seen = json.loads(again.output)
    assert seen["pack"] == "crm"
    assert {"crm.place-order", "crm.get-order"} <= {one["name"] for one in seen["capabilities"]}
    listed = CliRunner().invoke(main_app, ["catalogue"], env={"COLUMNS": "200"})
    assert "erp.get-order" in listed.output
