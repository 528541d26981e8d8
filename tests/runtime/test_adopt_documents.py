"""Documents as services write them: forms, repeated parameters, numbers for names, references to nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from typer.testing import CliRunner

from isthmus.cli import main_app
from isthmus.kernel import Caller, FrontEnd, Platform, Registry
from isthmus.runtime.adopt.adopt import NoDocument, adopted_pack, adoption_of, left_out, read_document
from isthmus.store import Database

from .test_adopt import Erp, erp

__all__ = ["erp"]  # the service, a fixture

SERVICE = """
openapi: 3.0.3
info: {title: The old ERP}
servers: [{url: ADDRESS}]
components:
  schemas:
    Node:
      type: object
      required: [id]
      properties:
        id: {type: integer}
        class: {type: string, nullable: true}
        parent: {$ref: "#/components/schemas/Node"}
paths:
  /orders:
    get:
      operationId: list
      parameters:
        - {name: state, in: query, schema: {type: array, items: {type: string}}}
        - {name: site, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: note, in: query, schema: {type: string, nullable: true}}
      responses:
        200: {description: all, content: {application/json: {schema: {type: array, items: {type: integer}}}}}
        default: {description: trouble}
    post:
      operationId: place
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, required: [sku], properties: {sku: {type: string}, tags: {type: array, items: true}}}
      responses:
        default: {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Node"}}}}
  /picture:
    put:
      operationId: upload
      requestBody: {content: {image/png: {schema: {type: string, format: binary}}}}
      responses: {204: {description: kept}}
"""
NORTH = Caller(front_end="north", client="n")


def document(tmp_path: Path, text: str = SERVICE, address: str = "http://127.0.0.1:9") -> Path:
    file = tmp_path / "service.yaml"
    file.write_text(text.replace("ADDRESS", address))
    return file


async def test_forms_and_repeated_parameters_reach_the_service_as_its_document_says(
    database: Database, erp: tuple[Erp, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, address = erp
    seen: list[Any] = []

    async def heard(request: Any) -> Any:
        seen.append((request.url.query, (await request.body()).decode(), request.headers.get("content-type")))
        return JSONResponse({"id": 7, "parent": {"id": 6}} if request.method == "POST" else [7])

    monkeypatch.setattr(service, "_known", heard)
    monkeypatch.setenv("ERP_KEY", "s3cret")
    scheme = "securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}"
    text = SERVICE.replace("components:", f"components:\n  {scheme}")
    adoption = adoption_of(document(tmp_path, text, address), secret="ERP_KEY")
    assert (adoption.name, adoption.url) == ("the-old-erp", address)
    north = FrontEnd(code="north", name="North", owner="n", uses=("the-old-erp.*",))
    shop = Platform(Registry().add(adopted_pack(adoption), north).freeze(), database)

    async def ask(name: str, body: object) -> Any:
        answer, _ = await shop.call_wire(f"the-old-erp.{name}", json.dumps(body).encode(), NORTH)
        return json.loads(answer)

    assert await ask("list", {"state": ["open", "late"], "site": ["a", "b"], "note": None}) == {"value": [7]}
    assert await ask("place", {"sku": "green tea", "tags": ["x", "y"]}) == {"id": 7, "parent": {"id": 6}}
    assert seen == [
        ("state=open&state=late&site=a%2Cb", "", None),
        ("", "sku=green+tea&tags=x&tags=y", "application/x-www-form-urlencoded"),
    ]


def test_what_can_be_sent_neither_as_json_nor_as_a_form_is_left_out_and_named(tmp_path: Path) -> None:
    adoption = adoption_of(document(tmp_path))
    assert {one.name for one in adopted_pack(adoption).capabilities().values()} == {
        "the-old-erp.list",
        "the-old-erp.place",
    }
    assert left_out(read_document(adoption.document)) == ["PUT /picture takes image/png"]


@pytest.mark.parametrize(
    ("was", "wrong", "said"),
    [
        ("info: {title: The old ERP}", "info: [1]", r"\$\.info"),
        ("parameters:\n        - ", "parameters: 5\n      x-was:\n        - ", r"parameters"),
        ("schemas/Node", "schemas/Nod", r"refers to '#/components/schemas/Nod', which is not in it"),
        ("schema: {type: array, items: {type: integer}}", "schema: 5", r"GET /orders cannot be read"),
        ("url: ADDRESS", "url: /api", r"names no address to call \(servers: /api\)"),
        ("title: The old ERP", "title: ERP 2000 of the whole northern hemisphere", r"makes no name for a pack"),
    ],
)
def test_a_document_that_is_wrong_is_refused_with_where_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, wrong: str, said: str
) -> None:
    file = document(tmp_path, SERVICE.replace(was, wrong))
    with pytest.raises(NoDocument, match=said):
        adopted_pack(adoption_of(file))
    monkeypatch.chdir(tmp_path)
    seen = CliRunner().invoke(main_app, ["adopt", str(file)], env={"COLUMNS": "200"})
    assert seen.exit_code != 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["service.yaml"]
