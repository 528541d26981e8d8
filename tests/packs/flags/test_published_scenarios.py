"""OpenFeature's published scenarios of evaluation, asked through its SDK of PyPI over OFREP on a real server.

Keys, values, variants, reasons and codes are those of the specification's `evaluation`, `evaluation_v2` and provider
scenarios (open-feature/spec). Of these, what is the SDK's alone is not here: hooks, states of a client, a cache.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

from isthmus.packs.flags import api
from tests.packs.flags.test_ofrep import Server, server

__all__ = ["server"]

BOOLEAN, TEXT, NUMBER, OBJECT = api.FlagKind.BOOLEAN, api.FlagKind.STRING, api.FlagKind.NUMBER, api.FlagKind.OBJECT
PICTURES = {"showImages": True, "title": "Check out these pics!", "imagesPerPage": 100}
BALLMER = {"email": "ballmer@macrosoft.com"}
HIT, MISS = "5c3d8535-f81a-4478-a6d3-afaa4d51199e", "f20bd32d-703b-48b6-bc8e-79d53c85134a"
INSIDE = {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False}
LARGE, HUGE = 2**31 - 1, 2**53 - 1
SAID = {"string": "1.0.2", "integer": 2, "float": 0.1, "boolean": True}


def _is(**wanted: Any) -> dict[str, Any]:
    return {"and": [{"==": [{"var": name}, value]} for name, value in wanted.items()]}


def _zero_for_ballmer(kind: api.FlagKind, zero: Any, other: Any) -> dict[str, Any]:
    rule = {"if": [_is(**BALLMER), "zero", None]}
    return {"kind": kind, "variants": {"zero": zero, "non-zero": other}, "default_variant": "zero", "targeting": rule}


def _static(kind: api.FlagKind, default: str, **variants: Any) -> dict[str, Any]:
    return {"kind": kind, "variants": variants, "default_variant": default}


FLAGS: dict[str, dict[str, Any]] = {
    "boolean-flag": _static(BOOLEAN, "on", on=True, off=False),
    "string-flag": _static(TEXT, "greeting", greeting="hi", parting="bye"),
    "integer-flag": _static(NUMBER, "ten", one=1, ten=10),
    "float-flag": _static(NUMBER, "half", tenth=0.1, half=0.5),
    "object-flag": _static(OBJECT, "template", empty={}, template=PICTURES),
    "boolean-zero-flag": _static(BOOLEAN, "zero", **{"zero": False, "non-zero": True}),
    "string-zero-flag": _static(TEXT, "zero", **{"zero": "", "non-zero": "str"}),
    "integer-zero-flag": _static(NUMBER, "zero", **{"zero": 0, "non-zero": 1}),
    "float-zero-flag": _static(NUMBER, "zero", **{"zero": 0.0, "non-zero": 1.0}),
    "large-integer-flag": _static(NUMBER, "max-int32", **{"max-int32": LARGE, "one": 1}),
    "huge-integer-flag": _static(NUMBER, "max-safe", **{"max-safe": HUGE, "one": 1}),
    "boolean-targeted-zero-flag": _zero_for_ballmer(BOOLEAN, False, True),
    "string-targeted-zero-flag": _zero_for_ballmer(TEXT, "", "str"),
    "integer-targeted-zero-flag": _zero_for_ballmer(NUMBER, 0, 1),
    "float-targeted-zero-flag": _zero_for_ballmer(NUMBER, 0.0, 1.0),
    "object-targeted-zero-flag": _zero_for_ballmer(OBJECT, {}, {"a": 1}),
    "wrong-flag": _static(TEXT, "one", one="uno", two="dos"),
    "targeting-key-flag": {
        **_static(TEXT, "miss", hit="hit", miss="miss"),
        "targeting": {"if": [{"==": [{"var": "targetingKey"}, HIT]}, "hit", None]},
    },
    "context-aware": {
        **_static(TEXT, "external", internal="INTERNAL", external="EXTERNAL"),
        "targeting": {"if": [_is(**INSIDE), "internal", "external"]},
    },
    "metadata-flag": {**_static(BOOLEAN, "on", on=True, off=False), "metadata": SAID},
    "disabled-boolean-flag": {**_static(BOOLEAN, "on", on=True, off=False), "is_enabled": False},
    "disabled-string-flag": {**_static(TEXT, "greeting", greeting="hi"), "is_enabled": False},
    "disabled-integer-flag": {**_static(NUMBER, "ten", ten=10), "is_enabled": False},
    "disabled-float-flag": {**_static(NUMBER, "half", half=0.5), "is_enabled": False},
}


class Asked(NamedTuple):
    """What an app asks: a flag as a type, with its own default, for a context."""

    kind: str
    key: str
    default: Any
    context: dict[str, Any] = {}


class Found(NamedTuple):
    """What it finds. variant: None where the scenarios name none."""

    value: Any
    reason: str
    code: str | None = None
    variant: str | None = None


SCENARIOS: list[tuple[Asked, Found]] = [
    (Asked("boolean", "boolean-flag", False), Found(True, "STATIC", variant="on")),
    (Asked("string", "string-flag", "bye"), Found("hi", "STATIC", variant="greeting")),
    (Asked("integer", "integer-flag", 1), Found(10, "STATIC", variant="ten")),
    (Asked("float", "float-flag", 0.1), Found(0.5, "STATIC", variant="half")),
    (Asked("object", "object-flag", {}), Found(PICTURES, "STATIC", variant="template")),
    (Asked("boolean", "boolean-zero-flag", True), Found(False, "STATIC", variant="zero")),
    (Asked("string", "string-zero-flag", "hi"), Found("", "STATIC", variant="zero")),
    (Asked("integer", "integer-zero-flag", 1), Found(0, "STATIC", variant="zero")),
    (Asked("float", "float-zero-flag", 0.1), Found(0.0, "STATIC", variant="zero")),
    (Asked("integer", "large-integer-flag", 1), Found(LARGE, "STATIC", variant="max-int32")),
    (Asked("integer", "huge-integer-flag", 1), Found(HUGE, "STATIC")),
    *(
        (Asked(kind, f"{kind}-targeted-zero-flag", default, context), Found(zero, reason))
        for kind, default, zero in (
            ("boolean", True, False), ("string", "hi", ""), ("integer", 1, 0), ("float", 0.1, 0.0),
            ("object", {"a": 1}, {}),
        )
        for context, reason in (
            (BALLMER, "TARGETING_MATCH"), ({"email": "ballmer@none.com"}, "DEFAULT"), ({"email": None}, "DEFAULT"),
            ({}, "DEFAULT"),
        )
    ),
    (Asked("string", "string-flag", "bye", {"targetingKey": MISS}), Found("hi", "STATIC")),
    (Asked("string", "targeting-key-flag", "fallback", {"targetingKey": HIT}), Found("hit", "TARGETING_MATCH")),
    (Asked("string", "targeting-key-flag", "fallback", {"targetingKey": MISS}), Found("miss", "DEFAULT")),
    (Asked("string", "targeting-key-flag", "fallback"), Found("miss", "DEFAULT")),
    (Asked("string", "context-aware", "EXTERNAL", INSIDE), Found("INTERNAL", "TARGETING_MATCH")),
    *(
        (Asked(kind, f"disabled-{kind}-flag", default), Found(default, "DISABLED"))
        for kind, default in (("boolean", False), ("string", "bye"), ("integer", 1), ("float", 0.1))
    ),
    *(
        (Asked(kind, "non-existent-flag", default), Found(default, "ERROR", "FLAG_NOT_FOUND"))
        for kind, default in (
            ("boolean", False), ("string", "bye"), ("integer", 1), ("float", 0.1), ("object", {"a": 1}),
        )
    ),
    *(
        (Asked(kind, key, default), Found(default, "ERROR", "TYPE_MISMATCH"))
        for key, kinds in (
            ("string-flag", ("boolean", "integer", "float", "object")),
            ("boolean-flag", ("string", "float")),  # the SDK itself takes True for an integer
            ("integer-flag", ("boolean", "string")),
            ("float-flag", ("boolean", "string", "integer")),
            ("object-flag", ("boolean", "string", "integer", "float")),
            ("wrong-flag", ("boolean", "integer")),
        )
        for kind, default in (
            ("boolean", False), ("string", "fallback"), ("integer", 13), ("float", 0.1), ("object", {}),
        )
        if kind in kinds
    ),
]  # fmt: skip


def _details(client: OpenFeatureClient, asked: Asked) -> Any:
    ask: Callable[..., Any] = getattr(client, f"get_{asked.kind}_details")
    attributes = dict(asked.context)
    return ask(asked.key, asked.default, EvaluationContext(attributes.pop("targetingKey", None), attributes))


def _client(address: str, key: str = "") -> OpenFeatureClient:
    headers = {"Authorization": f"Bearer {key}"}
    openfeature.set_provider(OFREPProvider(address, headers_factory=lambda: headers), "published")
    return openfeature.get_client("published")


async def test_every_published_scenario_finds_what_the_specification_says(server: Server) -> None:
    for key, flag in FLAGS.items():
        await server.desk.put(key, **flag)

    def ask() -> list[tuple[Asked, Found, Any]]:
        client = _client(server.address, server.key)
        differing: list[tuple[Asked, Found, Any]] = []
        for asked, wanted in SCENARIOS:
            found = _details(client, asked)
            seen = Found(found.value, found.reason, found.error_code, found.variant if wanted.variant else None)
            if (
                seen != wanted
                or type(found.value) is not type(wanted.value)
                or (found.error_message and not wanted.code)
            ):
                differing.append((asked, wanted, found))
        said = client.get_boolean_details("metadata-flag", False).flag_metadata
        assert said == SAID
        return differing

    assert await asyncio.to_thread(ask) == []


@pytest.mark.parametrize(("kind", "default"), [("boolean", False), ("string", "bye"), ("object", {"a": 1})])
async def test_an_app_whose_server_is_gone_goes_on_with_its_own_default(kind: str, default: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    found = await asyncio.to_thread(lambda: _details(_client(address), Asked(kind, f"{kind}-flag", default)))
    assert (found.value, found.reason) == (default, "ERROR")
