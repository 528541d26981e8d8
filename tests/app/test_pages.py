"""Pages of the console come with packs: one's own, those that ship, and none of a pack that is left out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isthmus.app.config import load_config
from isthmus.app.platform import composed
from isthmus.console.brought import brought_pages, brought_searches
from isthmus.console.client import Client
from isthmus.console.pages.guides import Guides
from isthmus.console.sign_in import Operators
from isthmus.console.web import console
from isthmus.kernel import FrontEnd, Platform, errors
from isthmus.pages import Found
from isthmus.store import Database

FILES = {
    "__init__.py": "",
    "api.py": '''"""Stamps for those who come back."""

from isthmus.kernel import Effect, Value, capability


class Stamp(Value):
    """Ask for the stamps of a card."""

    card: str = "c1"


class Stamped(Value):
    """How many there are."""

    stamps: int


@capability("stamps.count", version="1.0", effect=Effect.READ)
def count(ask: Stamp) -> Stamped:
    """Count the stamps of a card."""
    ...
''',
    "service.py": """from isthmus.kernel import implements

from . import api


@implements(api.count)
async def count(ask, ctx):
    return api.Stamped(stamps=len(ask.card))
""",
    "pages/__init__.py": '''"""The console's page of cards."""

from isthmus.pages import Found, GoTo


async def show_card(asked, client):
    code = client.users("stamps.count")[0]
    card = asked.path_params["card"]
    return {"card": card, **await client.call(code, "stamps.count", {"card": card})}


async def punch(asked, client):
    return GoTo(f"/cards/{asked.form['card']}", {"done": "punched"})


async def find(text, front_end, client):
    return [Found("card", text, f"/cards/{text}", front_end)] if text.startswith("card-") else []
''',
    "pages/card.html": """{% extends "layout.html" %}
{% block title %}Card {{ card }}{% endblock %}
{% block content %}<p>{{ stamps|number }} stamps, {{ query.get('done', 'new') }}</p>{% endblock %}
""",
    "guide.md": """# Stamp cards

| you want | call |
|---|---|
| a stamp | `stamps.count` |

<script>alert(1)</script> [bad](javascript:alert(1))
""",
    "guide.zh_CN.md": "# 集点卡\n\n十个印章集满一张卡。\n",
    "pack.py": """from isthmus.kernel import Pack
from isthmus.manifest import Guide, Page, Search

from . import api, service

AT = "acmestamps.pages"
PACK = Pack(
    name="stamps", owner="loyalty", api=api, service=(service,),
    brings=(
        Page(path="/cards/{card}", at=AT + ":show_card", template="card.html", needs=api.count),
        Page(path="/cards", menu="Cards", at=AT + ":punch", template="card.html", is_form=True),
        Search(at=AT + ":find"),
        Guide(title="Stamp cards", file="acmestamps:guide.md"),
    ),
)
""",
}


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a company's folder with a pack of its own, which has a page and a search."""
    for name, text in FILES.items():
        file = tmp_path / "acmestamps" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "isthmus.toml").write_text('[platform]\npacks = ["isthmus.packs", "acmestamps.pack:PACK"]\n')
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "acmestamps"]:
        del sys.modules[name]


NORTH = FrontEnd(code="north", name="North", owner="north", uses=("stamps.*",))


async def test_a_pack_of_ones_own_brings_a_page_a_form_and_a_search(company: Path, database: Database) -> None:
    _, release = composed(load_config(company / "isthmus.toml"), [NORTH])
    client = Client(Platform(release, database))
    app = console(brought_pages(client), Operators("an-operator"), client)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True) as browser:
        page = await browser.get("/cards/abcd?token=an-operator")
        assert (page.status_code, "<h1>Card abcd</h1>" in page.text, "4 stamps" in page.text) == (200, True, True)
        assert '<a href="/cards" aria-current="page">Cards</a>' in page.text, "it is in the menu"
        page = await browser.post("/cards", data={"card": "xy"}, headers={"origin": "http://test"})
        assert "2 stamps, punched" in page.text
    hits = [hit for find in brought_searches(client) for hit in await find("card-7", "north", client)]
    assert hits == [Found("card", "card-7", "/cards/card-7", "north")]


async def test_a_pack_brings_a_guide_as_a_page_of_the_console_in_the_readers_language(
    company: Path, database: Database
) -> None:
    _, release = composed(load_config(company / "isthmus.toml"), [NORTH])
    client = Client(Platform(release, database))
    transport = httpx.ASGITransport(console(Guides(client).pages(), Operators("an-operator"), client))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", follow_redirects=True) as browser:
        listed = await browser.get("/guides?token=an-operator")
        assert '<a href="/guides/stamps">Stamp cards</a></td><td>loyalty</td>' in listed.text
        page = (await browser.get("/guides/stamps")).text
        assert page.count("Stamp cards</h1>") == 1
        assert "<td><code>stamps.count</code></td>" in page
        assert "&lt;script&gt;" in page
        assert 'href="javascript' not in page
        chinese = await browser.get("/guides/stamps", headers={"accept-language": "zh-CN"})
        assert "十个印章集满一张卡" in chinese.text
        assert (await browser.get("/guides/nothing")).status_code == 404


def test_a_page_that_nothing_makes_is_refused_at_start_though_no_page_is_imported_yet(company: Path) -> None:
    manifest = company / "acmestamps" / "pack.py"
    manifest.write_text(
        manifest.read_text().replace(":show_card", ":show_cart").replace('AT + ":find"', '"acmestamp:find"')
    )
    with pytest.raises(errors.BuildProblems) as wrong:
        composed(load_config(company / "isthmus.toml"), [NORTH])
    assert list(wrong.value.problems) == [
        "'/cards/{card}' of 'stamps' is made by 'acmestamps.pages:show_cart', and that has no 'show_cart' "
        "(did you mean 'show_card'?); write at=\"module:function\"",
        "search of 'stamps' is made by 'acmestamp:find', and there is no module 'acmestamp'; "
        'write at="module:function"',
    ]


def paths(folder: Path, left_out: str, database: Database) -> set[str]:
    (folder / "isthmus.toml").write_text(f"[platform]\nleave_out = {left_out}\n")
    _, release = composed(load_config(folder / "isthmus.toml"), [])
    return {page.path.split("/")[1] for page in brought_pages(Client(Platform(release, database)))}


async def test_a_pack_that_is_left_out_takes_its_pages_along(tmp_path: Path, database: Database) -> None:
    every = paths(tmp_path, "[]", database)
    assert every >= {
        "orders",
        "members",
        "stock",
        "lent-stock",
        "audit",
        "policies",
        "accounts",
        "trial-balance",
        "people",
    }
    left_out = '["member", "checkout", "after-sale", "messages", "invoices", "renewals", "risk-checks"]'
    assert paths(tmp_path, left_out, database) == every - {"members"}
