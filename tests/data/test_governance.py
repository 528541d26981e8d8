"""Contracts are valid ODCS, lineage names every column that counts, and quality rules find what they say."""

from __future__ import annotations

import importlib.resources
import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from openlineage.client import event_v2
from openlineage.client.facet_v2 import column_lineage_dataset as columns

from isthmus.data.checks.quality import History, examine, rules
from isthmus.data.exchange.contracts import content, contract
from isthmus.data.exchange.lineage import Source, lineage, sources
from isthmus.data.exchange.ossie import document, ossie
from isthmus.data.model.ask import Ask
from isthmus.markings import Where

from .conftest import World
from .test_lake import deli_model


@pytest.mark.parametrize("entity", ["member.member", "shop.order", "shop.level"])
def test_a_contract_is_valid_by_the_schema_of_its_standard(shop: World, entity: str) -> None:
    schema = json.loads((importlib.resources.files("open_data_contract_standard") / "schema.json").read_text())
    found = content(shop.model, shop.model.entity(entity))
    jsonschema.Draft201909Validator(schema).validate(found)
    assert yaml.safe_load(contract(shop.model, shop.model.entity(entity))) == found


def test_a_contract_says_keys_references_personal_data_and_ranges(shop: World) -> None:
    (member,) = content(shop.model, shop.model.entity("member.member"))["schema"]
    assert member["properties"][0]["primaryKeyPosition"] == 1
    assert member["properties"][2]["classification"] == "personal:email"
    (order,) = content(shop.model, shop.model.entity("shop.order"))["schema"]
    assert order["properties"][2]["relationships"] == [{"type": "foreignKey", "to": "member_member.id"}]
    (meal,) = content(deli_model(), deli_model().entity("deli.meal"))["schema"]
    assert meal["properties"][4]["logicalTypeOptions"] == {"minimum": 0}


def test_lineage_names_projections_filters_joins_and_groupings(traps: World) -> None:
    ask = Ask(metrics=("amount_done", "qty"), by=("customers.region",), where=(Where("orders.status", "!=", "x"),))
    by_column, shared = sources(traps.model, traps.metrics.plan(ask))
    assert by_column["amount_done"] == (
        Source("orders", "amount", True, "AGGREGATION"),
        Source("orders", "status", False, "FILTER"),
    )
    assert by_column["customers.region"] == (Source("customers", "region", True, "IDENTITY"),)
    assert set(shared) == {
        Source("customers", "region", False, "GROUP_BY"),
        Source("orders", "customer_id", False, "JOIN"),
        Source("customers", "id", False, "JOIN"),
        Source("items", "order_id", False, "JOIN"),
        Source("orders", "id", False, "JOIN"),
        Source("orders", "status", False, "FILTER"),
    }


def test_lineage_names_what_a_conversion_looks_at(shop: World) -> None:
    by_column, _ = sources(shop.model, shop.metrics.plan(Ask(metrics=("visit_to_basket",))))
    assert {(one.entity, one.field) for one in by_column["visit_to_basket"]} >= {
        ("shop.visit", "member_id"), ("shop.order", "buyer_id"), ("shop.order", "placed_at"),
    }  # fmt: skip


def test_lineage_of_a_converted_amount_names_currency_and_day(shop: World) -> None:
    by_column, _ = sources(shop.model, shop.metrics.plan(Ask(metrics=("sales",), currency="EUR")))
    assert by_column["sales"] == (
        Source("shop.order", "total_minor", True, "AGGREGATION"),
        Source("shop.order", "currency", True, "TRANSFORMATION"),
        Source("shop.order", "placed_at", False, "JOIN"),
    )


def test_a_lineage_event_is_read_by_the_openlineage_client(shop: World) -> None:
    plan = shop.metrics.plan(Ask(metrics=("sales",), by=("time:month", "front_end")))
    event = lineage(shop.model, plan, shop.now)
    facet = event["outputs"][0]["facets"]["columnLineage"]
    fields = {
        name: columns.Fields(
            inputFields=[
                columns.InputField(
                    namespace=one["namespace"], name=one["name"], field=one["field"],
                    transformations=[columns.Transformation(**one_of) for one_of in one["transformations"]],
                )
                for one in found["inputFields"]
            ]
        )
        for name, found in facet["fields"].items()
    }  # fmt: skip
    read = event_v2.RunEvent(
        eventTime=event["eventTime"],
        eventType=event_v2.RunState(event["eventType"]),
        run=event_v2.Run(runId=event["run"]["runId"]),
        job=event_v2.Job(**event["job"]),
        producer=event["producer"],
        outputs=[
            event_v2.OutputDataset(
                namespace="isthmus",
                name=event["outputs"][0]["name"],
                facets={"columnLineage": columns.ColumnLineageDatasetFacet(fields=fields)},
            )
        ],
    )
    assert read.outputs
    assert fields["time:month"].inputFields[0].field == "placed_at"
    assert fields["sales"].inputFields[0].name == "shop.orders"


def test_quality_rules_are_read_from_the_model_and_find_what_breaks_them(shop: World, tmp_path: Path) -> None:
    found = rules(shop.model)
    history = History(tmp_path / "quality.jsonl")
    reader = shop.metrics.reader()
    assert all(one.holds for one in examine(found, reader, shop.now, history))
    shop.change("""
        update shop.orders set front_end = null where id = 1;
        update shop.orders set placed_at = '2031-01-01' where id = 2;
        delete from shop.visits where id > 1""")
    broken = [
        str(one)
        for one in examine(found, shop.metrics.reader(), shop.now + timedelta(days=1), history)
        if not one.holds
    ]
    assert broken == [
        "shop.order: front_end is never empty (data-team): broken by 1, such as None",
        "shop.order: placed_at is not ahead of the clock (data-team): broken by 1, such as 2031-01-01 00:00:00+00",
        "shop.visit does not lose more than half of its rows at once (data-team): broken by 1",
    ]
    assert len(history.all()) == 2 * len(found)


def test_ranges_and_closed_sets_become_rules() -> None:
    assert "price_minor is at least 0" in {rule.sentence for rule in rules(deli_model())}


def test_the_model_leaves_as_ossie_and_what_one_expression_cannot_say_stands_apart(traps: World) -> None:
    (found,) = document(traps.model, "traps")["semantic_model"]
    metrics = {one["name"]: one["expression"]["dialects"][0]["expression"] for one in found["metrics"]}
    assert metrics["avg_amount"] == "SUM(orders.amount) / NULLIF(COUNT(orders.amount), 0)"
    assert metrics["amount_done"] == "SUM(CASE WHEN orders.status = 'done' THEN orders.amount END)"
    assert metrics["buyers"] == "COUNT(DISTINCT orders.customer_id)"
    assert metrics["tickets"] == "COUNT(tickets.id)"
    apart = {one["name"] for one in json.loads(found["custom_extensions"][0]["data"])["metrics"]}
    assert apart == {name for name in traps.model.metrics if "_so_far" in name or name.startswith("amount_")} - {
        "amount_done"
    }
    assert set(metrics) | apart == set(traps.model.metrics)
    assert {(one["from"], one["to"]) for one in found["relationships"]} == {
        ("orders", "customers"), ("items", "orders"), ("tickets", "customers"),
    }  # fmt: skip
    assert yaml.safe_load(ossie(traps.model, "traps"))["version"] == "0.2.0.dev0"


def test_ossie_expressions_compute_what_the_metrics_do(traps: World) -> None:
    (found,) = document(traps.model, "traps")["semantic_model"]
    for one in found["metrics"]:
        sql = one["expression"]["dialects"][0]["expression"]
        tables = [name for name in ("customers", "orders", "items", "tickets") if f"{name}." in sql]
        if len(tables) == 1:
            ((value,),) = traps.connection.execute(f"select {sql} from {tables[0]}").fetchall()
            assert value == traps.rows(one["name"])[0][0], one["name"]
