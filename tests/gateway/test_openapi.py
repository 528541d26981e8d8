"""API documents: one for each front end, valid, complete, and true."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import msgspec
from openapi_spec_validator import OpenAPIV31SpecValidator

from isthmus.gateway import auth
from isthmus.gateway.documents import openapi
from isthmus.gateway.documents.examples import example
from isthmus.gateway.http import Gateway
from isthmus.kernel import Capability, FrontEnd, Registry, decode, encode
from isthmus.kernel.host import CompiledFrontEnd
from isthmus.store import Database
from tests import shipped

from .conftest import NORTH, PACK

Connect = Callable[..., httpx.AsyncClient]
SHOP = FrontEnd(code="north", name="North", owner="n", uses=tuple(f"{pack.name}.*" for pack in shipped.PACKS))


async def test_the_document_is_valid_and_shows_exactly_what_the_front_end_may_call(
    north: httpx.AsyncClient, south: httpx.AsyncClient
) -> None:
    documents = [(await client.get("/v1/openapi.json")).json() for client in (north, south)]
    for document in documents:
        OpenAPIV31SpecValidator(document).validate()
    calls = [{path for path, methods in document["paths"].items() if "post" in methods} for document in documents]
    assert calls[0] == {"/v1/shop.show-item", "/v1/shop.take-items", "/v1/shop.write-note"}
    assert calls[1] == {*calls[0], "/v1/shop.wait", "/v1/shop.pay", "/v1/shop.doze", "/v1/shop.crash"}


async def test_a_client_with_scopes_is_shown_what_it_may_call(
    gateway: Gateway, shop: Database, connect: Connect
) -> None:
    key = await auth.create_client(shop, "north", "reader", ["shop.show-item"])
    client = connect(gateway, key)
    paths = (await client.get("/v1/openapi.json")).json()["paths"]
    assert [path for path, methods in paths.items() if "post" in methods] == ["/v1/shop.show-item"]


async def test_declared_refusals_stand_at_their_status_with_their_slugs(north: httpx.AsyncClient) -> None:
    document = (await north.get("/v1/openapi.json")).json()
    responses = document["paths"]["/v1/shop.take-items"]["post"]["responses"]
    assert "`shop.stock-short`: The shelf has less than was asked for" in responses["409"]["description"]
    assert "`shop.no-such-item`" in responses["404"]["description"]
    assert "`idempotency-key-reused`" in responses["422"]["description"]
    assert set(responses) >= {"200", "400", "401", "403", "413", "415", "429", "500", "503", "504"}


async def test_writes_take_an_idempotency_key_and_reads_do_not(north: httpx.AsyncClient) -> None:
    paths = (await north.get("/v1/openapi.json")).json()["paths"]
    keyed = {"$ref": "#/components/parameters/IdempotencyKey"}
    assert keyed in paths["/v1/shop.take-items"]["post"]["parameters"]
    assert keyed not in paths["/v1/shop.show-item"]["post"]["parameters"]


async def test_the_values_of_a_dimension_are_listed(north: httpx.AsyncClient) -> None:
    paths = (await north.get("/v1/openapi.json")).json()["paths"]
    ask = paths["/v1/shop.show-item"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    components = (await north.get("/v1/openapi.json")).json()["components"]["schemas"]
    kind = components[ask["$ref"].rpartition("/")[2]]["properties"]["kind"]
    assert (kind["type"], kind["enum"]) == ("string", ["standard", "presale"])


async def test_every_example_fits_its_contract(gateway: Gateway) -> None:
    release = gateway.platform.release
    document = openapi.document(release, "south")
    for path, methods in document["paths"].items():
        if operation := methods.get("post"):
            shown = operation["requestBody"]["content"]["application/json"]["example"]
            name = path.removeprefix("/v1/")
            decode(encode(shown), release.offered[name].capability.ask)


def test_examples_keep_to_limits_patterns_and_themselves() -> None:
    tree = {"Node": {"type": "object", "required": ["below"], "properties": {"below": {"$ref": "#/c/Node"}}}}
    assert example({"type": "string", "pattern": "^[A-Z]{3}$"}, {}, "currency") == "EUR"
    assert example({"type": "integer", "minimum": 5, "maximum": 5}, {}) == 5
    assert example({"type": "integer", "maximum": -1, "minimum": -9}, {}) == -1
    assert example({"type": "number", "exclusiveMaximum": 1, "minimum": 0}, {}) == 0
    assert example({"type": "string", "minLength": 8, "maxLength": 8}, {}, "sku") == "skuxxxxx"
    assert example({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, {}) is True
    assert example({"$ref": "#/c/Node"}, tree)


async def test_anyone_can_read_the_page_of_a_front_end_and_nothing_is_loaded_from_elsewhere(
    gateway: Gateway, connect: Connect
) -> None:
    reader = connect(gateway)
    page = await reader.get("/docs/north")
    assert page.headers["content-type"].startswith("text/html")
    assert "shop.take-items" in page.text
    assert "shop.crash" not in page.text
    assert "curl -X POST" in page.text
    assert "https://" not in page.text
    assert "//" not in page.text.replace("http://localhost:8080", "")
    assert "/docs/north" in (await reader.get("/docs")).text
    assert (await reader.get("/docs/north/openapi.json")).json()["openapi"] == "3.1.0"
    for path in ("/docs/nowhere", "/docs/north/else"):
        assert (await reader.get(path)).status_code == 404


async def test_each_problem_is_explained_where_its_type_leads(gateway: Gateway, connect: Connect) -> None:
    reader = connect(gateway)
    page = await reader.get("/problems/shop.stock-short")
    assert "The shelf has less than was asked for" in page.text
    assert "shop.take-items" in page.text
    assert (await reader.get("/problems/bad-ask")).status_code == 200
    assert (await reader.get("/problems/no-such-slug")).status_code == 404


async def test_a_release_put_in_place_shows_at_once(gateway: Gateway, north: httpx.AsyncClient) -> None:
    before = (await north.get("/v1/openapi.json")).json()
    release = gateway.platform.release
    gateway.platform.release = release.replacing(
        CompiledFrontEnd(**{**_fields(release.line("north")), "permitted": frozenset(["shop.show-item"])})
    )
    after = (await north.get("/v1/openapi.json")).json()
    assert "/v1/shop.take-items" in before["paths"]
    assert "/v1/shop.take-items" not in after["paths"]


async def test_data_and_deploys_are_in_the_document_where_the_server_has_them_and_the_key_may(shop: Database) -> None:
    release = Registry().add(PACK, NORTH).freeze()
    mounted = ("/console", "/deploy", "/data")
    everything = openapi.document(release, "north", None, mounted)
    OpenAPIV31SpecValidator(everything).validate()
    assert {"/data/ask", "/data/metrics/{name}", "/deploy", "/deploy/rollback"} <= everything["paths"].keys()
    shown = {
        scope: openapi.document(release, "north", (scope,), mounted)["paths"] for scope in ("data.ask", "deploy.*")
    }
    assert ("/data/ask" in shown["data.ask"], "/deploy" in shown["data.ask"]) == (True, False)
    assert ("/data/ask" in shown["deploy.*"], "/deploy" in shown["deploy.*"]) == (False, True)
    assert not {"/data/ask", "/deploy"} & openapi.document(release, "north")["paths"].keys()


def test_what_generators_stumble_over_is_said_in_other_words() -> None:
    document = openapi.document(shipped.build([SHOP]), "north", None, ("/data", "/deploy"))
    OpenAPIV31SpecValidator(document).validate()
    components = document["components"]["schemas"]
    assert {"PromotionStep", "TaxRate", "FulfilmentRate"} <= components.keys()
    assert [name for name in components if "." in name] == []
    assert [one for one in objects(document["paths"]) if "allOf" in one] == []
    assert [one for one in objects(components) if "enum" in one and "type" not in one] == []
    asked = components["PlaceOrder"]
    assert not [name for name, field in asked["properties"].items() if "default" in field]
    kind = asked["properties"]["order_kind"]
    assert (kind["type"], kind["enum"]) == ("string", ["standard"])
    assert components["BuyLine"]["required"] == ["sku", "quantity"]


def objects(schema: object) -> Iterator[dict[str, object]]:
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


def _fields(line: CompiledFrontEnd) -> dict[str, object]:
    return {name: getattr(line, name) for name, one in line.__dataclass_fields__.items() if one.init}


def test_every_ask_and_answer_that_ships_can_be_read_and_described() -> None:
    """A type that the contract's reader takes and the wire's does not would fail with the first call."""
    declared = [one for pack in shipped.PACKS for one in vars(pack.api).values() if isinstance(one, Capability)]
    assert len(declared) > 100
    for one in declared:
        for said in (one.ask, one.answer):
            msgspec.json.Decoder(said)
            msgspec.json.schema(said)
