"""Files: put over HTTP by who may, attached to goods, served to everyone with what caches need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from isthmus.gateway.auth import Principal
from isthmus.gateway.files import FileService
from isthmus.kernel import Caller, FrontEnd, Platform, errors
from isthmus.manifest import Files, brought
from isthmus.packs.media import api
from isthmus.packs.media.api.stores import FolderSettings, FolderStore
from isthmus.packs.media.pack import PACK
from tests.packs.desk import at_desk, desk

NORTH = Caller(front_end="north", client="office")
DESK = desk(api)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
KEYS = {
    b"north": Principal(front_end="north", name="office", scopes=None, until=0),
    b"narrow": Principal(front_end="north", name="office", scopes=("media.list-attached",), until=0),
    b"south": Principal(front_end="south", name="office", scopes=None, until=0),
}
MakePlatform = Callable[..., Awaitable[Platform]]


class Site:
    """A platform's files over HTTP, and calls beside them."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient, folder: Path) -> None:
        self.platform, self.http, self.folder = platform, http, folder

    async def put(self, content: bytes = PNG, key: str = "north") -> httpx.Response:
        return await self.http.post("/media", content=content, headers={"Authorization": key})

    async def name(self, content: bytes = PNG) -> str:
        return (await self.put(content)).json()["file"]

    async def call(self, capability: Any, **fields: Any) -> Any:
        return await self.platform.call(at_desk(capability, DESK), capability.ask(**fields), NORTH)


async def admit(authorization: bytes | None) -> Principal:
    if (authorization or b"") not in KEYS:
        raise errors.NotAuthenticated("nobody is known by this", remedy="send a key", path="Authorization")
    return KEYS[authorization or b""]


@pytest.fixture
async def site(make_platform: MakePlatform, tmp_path: Path) -> AsyncIterator[Site]:
    """Give a site whose front end `south` uses nothing of media."""
    files = api.MediaFiles(FolderStore("folder", FolderSettings(folder=str(tmp_path))))
    north = FrontEnd(code="north", name="N", owner="n", uses=("media.*", "desk.*"))
    south = FrontEnd(code="south", name="S", owner="s")
    platform = await make_platform(PACK, DESK, north, south, resources={api.MediaFiles: files})
    (served,) = brought([PACK], Files)
    transport = httpx.ASGITransport(app=FileService(platform, served, admit))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as http:
        yield Site(platform, http, tmp_path)


async def test_a_file_is_put_once_and_served_with_what_caches_need(site: Site) -> None:
    first, again = await site.put(), await site.put()
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["file"] == again.json()["file"]
    assert len(list(site.folder.rglob("*.png"))) == 1
    got = await site.http.get(first.json()["path"])
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, PNG, "image/png")
    assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert got.headers["x-content-type-options"] == "nosniff"
    seen = {"If-None-Match": f'"other", {got.headers["etag"]}'}
    cached = await site.http.get(first.json()["path"], headers=seen)
    assert (cached.status_code, cached.content) == (304, b"")
    head = await site.http.head(first.json()["path"])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))


async def test_who_may_not_put_files_leaves_none(site: Site) -> None:
    for key, status in (("", 401), ("narrow", 403), ("south", 403)):
        assert (await site.put(key=key)).status_code == status
    assert list(site.folder.rglob("*.*")) == []


async def test_what_is_too_large_or_of_another_type_is_refused_and_not_kept(site: Site) -> None:
    large = await site.put(PNG + bytes(api.BYTES_MAX))
    assert large.status_code == 413
    script = await site.put(b"<svg onload='alert(1)'/>")
    assert (script.status_code, script.json()["slug"]) == (400, "media.not-allowed")
    assert list(site.folder.rglob("*.*")) == []


async def test_what_is_not_there_and_what_cannot_be_done_says_so(site: Site) -> None:
    assert (await site.http.get(f"/media/{'a' * 64}.png")).status_code == 404
    assert (await site.http.get("/media/../isthmus.toml")).status_code == 404
    assert (await site.http.delete("/media/x")).status_code == 405
    missing = await site.http.get(f"/media/{'a' * 64}.png")
    assert missing.headers["cache-control"] == "no-store"


async def test_a_store_that_is_away_is_trouble_and_nothing_is_noted(site: Site, monkeypatch: Any) -> None:
    async def away(name: str, content: bytes) -> None:
        raise ConnectionError("secret-host is away")

    monkeypatch.setattr(site.platform.resources[api.MediaFiles].store, "put", away)  # type: ignore[attr-defined]
    refused = await site.put()
    assert refused.status_code == 503
    assert "secret-host" not in refused.text
    with pytest.raises(api.UnknownFile):
        await site.call(api.attach, subject="tea", file=f"{'a' * 64}.png")


async def test_files_are_attached_to_goods_in_their_order(site: Site) -> None:
    one, two = await site.name(), await site.name(PNG + b"2")
    await site.call(api.attach, subject="tea", file=one, position=2, alt="A cup of tea")
    await site.call(api.attach, subject="tea", file=two, position=1)
    await site.call(api.attach, subject="jam", file=one)
    found = await site.call(api.list_attached, subjects=("jam", "tea", "salt"))
    assert [(item.subject, [each.file for each in item.files]) for item in found.items] == [
        ("jam", [one]),
        ("tea", [two, one]),
        ("salt", []),
    ]
    assert found.items[1].files[1].alt == "A cup of tea"
    assert found.items[0].files[0].path == f"/media/{one}"
    await site.call(api.attach, subject="tea", file=one, position=0)
    after = await site.call(api.detach, subject="tea", file=two)
    assert [each.file for each in after.items[0].files] == [one]


async def test_a_picture_is_shown_in_several_sizes(site: Site) -> None:
    wide, narrow, other = [await site.name(PNG + bytes([at])) for at in range(3)]
    for file, position, width in ((wide, 1, 1600), (narrow, 1, 320), (other, 2, None)):
        await site.call(api.attach, subject="tea", file=file, position=position, alt="A cup", width=width)
    found = (await site.call(api.list_attached, subjects=("tea",))).items[0].files
    assert [(one.file, one.position, one.width) for one in found] == [
        (narrow, 1, 320),
        (wide, 1, 1600),
        (other, 2, None),
    ]
    again = await site.call(api.attach, subject="tea", file=other, position=1, width=640)
    assert [one.width for one in again.items[0].files] == [320, 640, 1600]


async def test_what_is_not_in_the_store_is_not_noted_and_so_not_attached(site: Site) -> None:
    name = f"{'b' * 64}.png"
    with pytest.raises(api.NotStored):
        await site.call(api.note_file, file=name, size=1)
    with pytest.raises(api.UnknownFile):
        await site.call(api.attach, subject="tea", file=name)
    assert (await site.call(api.check_file, file=name, size=1)).file == name
    assert (await site.call(api.write_file, file=name, size=1)).path == f"/media/{name}"


async def test_a_subject_has_so_many_files_and_no_more_also_at_once(site: Site) -> None:
    names = [await site.name(PNG + bytes([at])) for at in range(api.ATTACHED_MAX + 3)]
    asked = [site.call(api.attach, subject="tea", file=name) for name in names]
    said = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, api.TooManyFiles) for one in said) == 3
    found = await site.call(api.list_attached, subjects=("tea",))
    assert len(found.items[0].files) == api.ATTACHED_MAX
