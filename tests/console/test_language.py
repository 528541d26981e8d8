"""The console in the reader's language: how it is chosen, what is in it, and that nothing is left in English."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

import isthmus
from isthmus.console import words
from isthmus.language import ENGLISH, LANGUAGES, Catalogue, Reader, choose, reading
from isthmus.language.catalogue import messages_of
from isthmus.language.extract import messages_in, sentences
from isthmus.manifest import Page
from tests import shipped

from .conftest import Served
from .test_pages import PAGES
from .test_shipping import ship

SRC = Path(isthmus.__file__).parent
CHINESE = LANGUAGES[1]
UNSHOWN = re.search(r"^UNSEEN := (.*)$", (SRC.parents[1] / "Makefile").read_text(), re.M)
PACKS = sorted(path.parent for path in [*SRC.glob("packs/*/pack.py"), *SRC.glob("flows/*/pack.py")])
PACKAGES = ["isthmus", *(".".join(path.relative_to(SRC.parent).parts) for path in PACKS)]

# What is nobody's text but the fixtures': front ends and what they say of themselves, goods, places, addresses.
DATA = re.compile(
    r"a euro off for all|Sells in the (north|south)\.|(north|south) team|Sales of seven days\.|nobody@example\.org|"
    r"nothing-is-called-so|\S+@\S+|\b\w+ team\b|\b([Nn]orth|[Ss]outh|Tea|Jam)\b"
)
NAMES = re.compile(
    r"\S*[._/:=\[\]\d-]\S*|\b(?:Standard Webhooks|Webhooks?)\b|"
    r"\b(?:UTC|One ID|Isthmus|NATS JetStream|JSON|SQL|CSV|SKU|ID|App|OpenLineage|API|HTTP|PostgreSQL)\b"
)
PHRASE = re.compile(r"[A-Za-z]{2,}(?:[ ,]+[A-Za-z]{2,})+")  # two words of Latin letters
WORD = re.compile(r"[A-Za-z]{3,}")
LABELS = {"th", "label", "button", "h1", "h2", "h3", "dt", "summary", "legend", "title"}
CODE = {"code", "pre", "script", "style", "kbd", "datalist"}
OF_A_KIND = 2  # pages that differ in nothing but their things and what they are asked
VOID = {"input", "br", "img", "link", "meta", "hr", "path", "rect", "circle", "line"}


class Seen(HTMLParser):
    """Collects what a reader of a page sees or hears, each with the element that it stands in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.within: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        for name in ("aria-label", "title", "placeholder", "alt"):
            if text := said.get(name):
                self.texts.append((f"{tag}@{name}", text))
        if tag not in VOID:
            self.within.append("code" if said.get("translate") == "no" else tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.within.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not CODE.intersection(self.within):
            self.texts.append((self.within[-1] if self.within else "", " ".join(data.split())))


def untranslated(page: str) -> Iterator[str]:
    """Yield what a page in Chinese says in English: phrases anywhere, words of a catalogue, and any word of a label."""
    for element, text in Seen(page).texts:
        left = NAMES.sub(" ", DATA.sub(" ", text))
        is_word = WORD.fullmatch(left.strip()) and (element in LABELS or text in translations())
        if PHRASE.search(left) or is_word:
            yield f"<{element}> {text}"


@cache
def translations() -> dict[str, str]:
    """Return what catalogues say in other words."""
    every = (one for package in PACKAGES for one in messages_of(package, CHINESE.locale))
    codes = {pack.name for pack in shipped.PACKS}  # `order` is a word, and a pack's name on the map
    return {text: other for text, other in every if text not in {other, *codes}}


@pytest.fixture
async def reader(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Give an operator whose browser asks for Chinese."""
    headers = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}
    async with httpx.AsyncClient(headers=headers, follow_redirects=True, timeout=60) as client:
        await served.sign_in(client)
        yield client


async def begun(served: Served) -> list[str]:
    """Return where to begin to read: pages of every kind, and some that no link leads to, with things on them."""
    sold = await served.sell("tea", "jam")
    await ship(served, "--accept")
    answer = await served.client.post("/v1/inventory.list-stock", json={}, headers={"Isthmus-Explain": "true"})
    capabilities = [f"/capabilities/{one.name}" for pack in shipped.PACKS for one in pack.capabilities().values()]
    member = await served.call("member.register", {"identities": [{"kind": "email", "value": "ada@example.org"}]})
    things = [f"/orders/north/{sold['order_id']}", f"/calls/{answer.headers['isthmus-call']}"]
    return [*PAGES, *things, f"/members/north/{member['member_id']}", *capabilities]


def kind_of(path: str) -> tuple[str, ...]:
    """Return what pages of one kind have in common: their first name, how deep they are, and what is asked of them."""
    parts = urlsplit(path)
    first, *rest = parts.path.strip("/").split("/")
    return first, str(len(rest)), *sorted(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))


async def pages(served: Served, client: httpx.AsyncClient) -> AsyncIterator[tuple[str, str]]:
    """Yield what is named, and what links lead to from there: some pages of each kind."""
    waiting = list(dict.fromkeys(await begun(served)))
    seen, kinds = set(waiting), Counter[tuple[str, ...]]()
    while waiting:
        page = await client.get(served.address + (path := waiting.pop(0)))
        if not page.headers["content-type"].startswith("text/html"):
            continue
        yield path, page.text
        for link in map(html.unescape, re.findall(r'href="/console(/[^"#]*)', page.text)):
            if link not in seen and "language=" not in link and kinds[kind_of(link)] < OF_A_KIND:
                kinds[kind_of(link)] += 1
                seen.add(link)
                waiting.append(link)


async def test_no_page_says_anything_in_english_to_a_reader_of_chinese(
    served: Served, reader: httpx.AsyncClient
) -> None:
    found: dict[str, str] = {}
    firsts = set[str]()
    async for path, page in pages(served, reader):
        assert 'lang="zh-CN"' in page, path
        firsts.add(kind_of(path)[0])
        found |= {text: path for text in untranslated(page) if text not in found}
    assert not found, "\n".join(f"{path}: {text}" for text, path in found.items())
    brought = [one for pack in shipped.PACKS for one in pack.brings if isinstance(one, Page)]
    unread = {one.path.split("/")[1] for one in brought if not (one.is_form or one.is_open)} - firsts
    assert unread == set(), "no link leads to these pages"


async def test_what_is_refused_is_said_in_the_readers_language(served: Served, reader: httpx.AsyncClient) -> None:
    ask = {"front_end": "north", "sku": "no-such-sku"}
    refused = await reader.post(f"{served.address}/capabilities/catalog.get-product/try", data=ask)
    assert "没有商品的 SKU 为 'no-such-sku'" in html.unescape(refused.text)
    missing = await reader.get(f"{served.address}/capabilities/order.list-ordres")
    assert "没有名为 'order.list-ordres' 的能力" in html.unescape(missing.text), Seen(missing.text).texts
    assert list(untranslated(refused.text)) == []


async def test_a_reader_switches_and_it_is_kept(served: Served, reader: httpx.AsyncClient) -> None:
    assert "<h1>订单</h1>" in (await reader.get(f"{served.address}/orders")).text
    switched = await reader.get(f"{served.address}/orders?state=paid&language=en")
    assert (str(switched.url), "<h1>Orders</h1>" in switched.text) == (f"{served.address}/orders?state=paid", True)
    again = await reader.get(f"{served.address}/members")
    assert ("<h1>Members</h1>" in again.text, again.headers["content-language"]) == (True, "en")


async def test_a_word_that_a_template_writes_out_is_said_to_each_reader_in_their_language(
    served: Served, reader: httpx.AsyncClient
) -> None:
    pages = [await reader.get(f"{served.address}/capabilities/order.get-order?language={one}") for one in ("zh", "en")]
    assert [re.findall(r'class="state good">(\w+)', page.text) for page in pages] == [["线上"], ["live"]]
    await reader.get(f"{served.address}/?language=zh")


async def test_a_stranger_reads_the_sign_in_in_their_language(served: Served) -> None:
    async with httpx.AsyncClient(headers={"accept-language": "zh"}) as stranger:
        page = await stranger.get(f"{served.address}/orders")
    assert (page.status_code, "登录控制台" in page.text, list(untranslated(page.text))) == (401, True, [])


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,zh;q=0.9", "en"),
        (None, "fr,zh-TW;q=0.5,en;q=0.1", "zh"),
        (None, "zh;q=0,en", "en"),
        (None, "zh;q=x, *", "en"),
        ("en", "zh", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_choice_goes_before_what_the_browser_accepts(chosen: str | None, accepted: str, language: str) -> None:
    assert choose(chosen, accepted).code == language


@pytest.mark.parametrize(
    ("language", "written"),
    [
        (ENGLISH, ("$1,204.50", "−€3.00", "1,234.50", "31 Jan 2026, 18:04:05 UTC", "31 Jan 2026")),
        (CHINESE, ("US$1,204.50", "−€3.00", "1,234.50", "2026年1月31日 18:04:05 UTC", "2026年1月31日")),
    ],
)
def test_money_numbers_and_dates_are_written_as_the_reader_writes_them(language: Any, written: tuple[str, ...]) -> None:
    moment = "2026-01-31T18:04:05Z"
    with reading(Reader(language, Catalogue(["isthmus"], language.locale))):
        dollars, euros = {"currency": "USD", "minor": 120450}, {"currency": "EUR", "minor": -300}
        found = (
            words.amount(dollars),
            words.amount(euros),
            words.number(1234.5),
            words.when(moment),
            words.day(moment),
        )
    assert tuple(re.sub(r"<[^>]*>", "", one) for one in found) == written


def test_a_sentence_with_values_is_translated_by_its_shape() -> None:
    source = (
        """raise Refused(f"SKU {line.sku!r} has no price in {ask.currency}", remedy="put one" if x else "ask again")"""
    )
    assert list(sentences(source)) == ["put one", "ask again", "SKU {sku} has no price in {currency}"]
    catalogue = Catalogue(["isthmus.packs.catalog"], CHINESE.locale)
    assert catalogue.translated("SKU 'a b' is not for sale here: it is over") == "SKU 'a b' 在这里不出售：it is over"
    assert catalogue.translated("nothing that anybody says") == "nothing that anybody says"


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_a_package_says_is_translated(package: str) -> None:
    assert UNSHOWN is not None
    folder = SRC.parent / Path(*package.split("."))
    known = dict(messages_of(package, CHINESE.locale))
    missing = messages_in(folder, UNSHOWN[1].split(",")).keys() - known.keys()
    assert sorted(missing) == [], "run make translations, and translate what it names"
    values = re.compile(r"%\(\w+\)s|\{[a-z_]\w*\}")
    wrong = [one for one, other in known.items() if set(values.findall(one)) != set(values.findall(other))]
    assert wrong == []
    narrow = re.compile(r"[\u4e00-\u9fff”）][,:;!?](?!//)")
    assert [other for other in known.values() if narrow.search(other)] == [], "Chinese has marks of its own: ，：；！？"
