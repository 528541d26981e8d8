"""Flags beside software that no one here wrote: flagd's evaluator of npm, and the web SDK of OpenFeature."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from isthmus.gateway import auth
from isthmus.packs.flags import api
from isthmus.packs.flags.rules.evaluation import compiled_all
from tests import browser as browsers
from tests.packs.flags.conftest import Desk
from tests.packs.flags.test_ofrep import serving

HERE = Path(__file__).parent
MADE = HERE.parents[2] / "build" / "openfeature"
PACKAGES = (
    "@openfeature/flagd-core@4.0.1", "@openfeature/core@1",
    "@openfeature/ofrep-web-provider@0.4", "@openfeature/web-sdk@1", "eventsource@4", "esbuild@0.25",
)  # fmt: skip
INSTALLS_WITHIN_S = 300
RULES = 300
ASKED = 20
NAMES = ("red", "green", "blue")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules() -> Path:
    """Install the packages, or skip with the reason."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("flags were NOT compared with software of others: there is no node and npm")
    if not (MADE / "node_modules" / "esbuild").is_dir():
        MADE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(MADE), *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLS_WITHIN_S)
        if done.returncode:
            pytest.skip(f"flags were NOT compared with software of others: {done.stderr[-300:]}")
    return MADE


def test_every_generated_rule_gives_what_flagds_evaluator_gives(modules: Path) -> None:
    source = random.Random(20)
    flags = {f"flag-{number}": _rule(source, 3) for number in range(RULES)}
    asked = [(key, _context(source)) for key in flags for _ in range(ASKED)]
    written = {
        key: {
            "state": "ENABLED", "variants": {name: name for name in NAMES}, "defaultVariant": "blue", "targeting": rule
        }
        for key, rule in flags.items()
    }  # fmt: skip
    done = subprocess.run(
        ["node", str(HERE / "flagd.mjs"), str(modules)],
        input=json.dumps({"flags": written, "asked": asked}), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    ours = compiled_all(
        [
            api.Flag(
                key=key, kind=api.FlagKind.STRING, variants={name: name for name in NAMES}, default_variant="blue",
                targeting=rule,
            )
            for key, rule in flags.items()
        ]
    )  # fmt: skip
    differing = [
        (flags[key], context, theirs, (mine.reason, mine.variant))
        for (key, context), theirs in zip(asked, json.loads(done.stdout), strict=True)
        if (mine := ours[key].find(context).value) and [mine.reason, mine.variant] != theirs
    ]
    assert differing == [], differing[:3]
    assert len({variant for _, variant in json.loads(done.stdout)}) == len(NAMES)


def _context(source: random.Random) -> dict[str, Any]:
    return {
        "targetingKey": f"member-{source.randrange(10**6)}", "country": source.choice(["DE", "FR", "US"]),
        "version": source.choice(["1.9.9", "2.0.0", "2.1.0-beta.1", "2.1.0", "v3.0.1"]), "age": source.randrange(90),
        "tier": source.choice(["gold", "silver"]), "is_staff": source.random() < 0.5,
    }  # fmt: skip


def _rule(source: random.Random, depth: int) -> dict[str, Any]:
    weights = [source.randrange(1, 100) for _ in NAMES]
    shares = {"fractional": [[name, weight] for name, weight in zip(NAMES, weights, strict=True)]}
    seeded = {"fractional": [{"cat": [{"var": "country"}, {"var": "targetingKey"}]}, *shares["fractional"]]}
    ends: list[Any] = [*NAMES, shares, seeded]
    if not depth:
        return source.choice([shares, seeded])
    then = source.choice([*ends, _rule(source, depth - 1)])
    otherwise = source.choice([*ends, _rule(source, depth - 1), None])
    return {"if": [_condition(source, 2), then, otherwise]}


def _condition(source: random.Random, depth: int) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [
        {"==": [{"var": "country"}, source.choice(["DE", "FR"])]},
        {"!=": [{"var": "tier"}, "gold"]},
        {"in": [{"var": "country"}, ["DE", "US"]]},
        {"in": ["l", {"var": "tier"}]},
        {"starts_with": [{"var": "tier"}, "g"]},
        {"ends_with": [{"var": "tier"}, "er"]},
        {source.choice(["<", "<=", ">", ">="]): [{"var": "age"}, source.randrange(90)]},
        {"<": [18, {"var": "age"}, 65]},
        {"sem_ver": [{"var": "version"}, source.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~"]), "2.1.0"]},
        {"!": [{"var": "is_staff"}]},
        {"!!": [{"var": "missing"}]},
        {">": [{"+": [{"var": "age"}, 5]}, {"*": [2, 20]}]},
    ]
    if depth:
        parts = [_condition(source, depth - 1) for _ in range(source.randrange(1, 4))]
        choices += [{"and": parts}, {"or": parts}]
    return source.choice(choices)


@pytest.fixture
async def served(desk: Desk) -> AsyncIterator[tuple[Desk, str, str]]:
    key = await auth.create_client(desk.database, "north", "app")
    async with serving(desk) as address:
        yield desk, address, key


async def test_the_web_sdk_hears_of_a_change_within_a_second(modules: Path, served: tuple[Desk, str, str]) -> None:
    desk, address, key = served
    await desk.put("new-checkout", targeting={"if": [{"==": [{"var": "country"}, "DE"]}, "on"]})
    command = ["node", str(HERE / "web.mjs"), str(modules), address, key]
    browser = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert browser.stdout is not None
    assert browser.stdin is not None
    try:
        async with asyncio.timeout(60):
            assert json.loads(await browser.stdout.readline()) == [True, "TARGETING_MATCH", "on"]
            await asyncio.sleep(0.5)  # it opens its stream
            await desk.call(api.kill_flag, api.FlagNamed(key="new-checkout"))
            async with asyncio.timeout(5):
                assert json.loads(await browser.stdout.readline())[1] == "DISABLED"
    finally:
        browser.stdin.close()
        await browser.wait()


@pytest.fixture(scope="module")
def bundle(modules: Path) -> str:
    """Give the script of a page, with the packages in it, as apps are built."""
    return subprocess.run(
        [modules / "node_modules" / ".bin" / "esbuild", "--bundle", "--format=esm", "--loader=js"],
        input=(HERE / "page.mjs").read_text(), cwd=modules, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


async def test_the_web_sdk_in_a_browser_shows_a_flag_and_hears_of_its_end(
    bundle: str, served: tuple[Desk, str, str]
) -> None:
    desk, address, key = served
    html = f"<!doctype html><html data-key={key!r}><main></main><script type=module src=/page.js></script></html>"
    await desk.put("new-checkout", targeting={"if": [{"==": [{"var": "country"}, "DE"]}, "on"]})
    async with browsers.opened() as browser:
        page = await browser.new_page()
        await page.route("**/page", lambda route: route.fulfill(body=html, content_type="text/html"))
        await page.route("**/page.js", lambda route: route.fulfill(body=bundle, content_type="text/javascript"))
        async with page.expect_request("**/ofrep/v1/**/events**"):
            await page.goto(f"{address}/page")
        shown = page.locator("main")
        await expect(shown).to_have_text("true TARGETING_MATCH on", timeout=30_000)
        await desk.call(api.kill_flag, api.FlagNamed(key="new-checkout"))
        await expect(shown).to_contain_text("DISABLED", timeout=30_000)
