"""Stores keep their contract: a folder, and S3 against a server that checks signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.app.config import load_config
from isthmus.app.resources import setting_problems
from isthmus.manifest import Secret
from isthmus.packs.media import api
from isthmus.packs.media.api.stores import FolderSettings, FolderStore
from isthmus.packs.media.service.s3_store import S3Settings, S3Store, signed
from isthmus.testing import FileStoreContract
from tests import shipped

from .s3_server import BUCKET, REGION, S3Server, s3_server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def s3(server: S3Server, secret_key: str = "", prefix: str = "shop/") -> S3Store:
    settings = S3Settings(
        url=server.url,
        bucket=BUCKET,
        region=REGION,
        prefix=prefix,
        access_key=Secret("ID", server.access_key),
        secret_key=Secret("KEY", secret_key or server.secret_key),
    )
    return S3Store("s3", settings)


class TestAFolder(FileStoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def store(self) -> api.FileStore:
        return FolderStore("folder", FolderSettings(folder=str(self.folder)))


class TestS3(FileStoreContract):
    AT_ONCE = 1  # moto's own store is not for several who put one name at once

    @pytest.fixture(autouse=True)
    def _server(self, server: S3Server) -> None:
        self.server = server

    async def store(self) -> api.FileStore:
        return s3(self.server)


async def test_a_server_of_s3_refuses_who_signs_with_another_key(server: S3Server) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        await s3(server, secret_key="another").put(f"{'a' * 64}.png", PNG)


def test_a_request_is_signed_as_the_published_example() -> None:
    """The GET of an object in Amazon's own documentation of Signature Version 4."""
    headers = signed(
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        {"range": "bytes=0-9"},
        ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"),
        datetime(2013, 5, 24, tzinfo=UTC),
    )
    assert headers["authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


async def test_a_file_that_is_not_what_its_name_says_is_not_given_out(tmp_path: Path) -> None:
    store = FolderStore("folder", FolderSettings(folder=str(tmp_path)))
    files = api.MediaFiles(store)
    name, kind = files.named(PNG)
    await files.put(name, PNG)
    assert await files.read(name) == (PNG, kind)
    (tmp_path / name[:2] / name).write_bytes(b"something else")
    assert await files.read(name) is None
    for wrong in ("", "../secret", "a.png", f"{'a' * 64}.svg", f"{'/' * 64}.png"):
        assert await files.read(wrong) is None


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"GIF8", b"x" * 100])
def test_what_is_not_served_is_refused_with_what_is(content: bytes) -> None:
    with pytest.raises(api.NotAllowed, match="send one of avif, gif, jpg, pdf, png, webp with at most 10 MiB"):
        api.MediaFiles(FolderStore("folder", FolderSettings())).named(content)


def test_a_file_is_known_by_its_content_and_not_by_its_size_alone() -> None:
    files = api.MediaFiles(FolderStore("folder", FolderSettings()))
    heads = {
        "jpg": b"\xff\xd8\xff\xe0",
        "webp": b"RIFF\0\0\0\0WEBPVP8 ",
        "avif": b"\0\0\0\x20ftypavif",
        "pdf": b"%PDF-1.7",
    }
    for ending, head in heads.items():
        assert files.named(head + PNG)[0].endswith(f".{ending}")
    with pytest.raises(api.NotAllowed, match=f"has {api.BYTES_MAX + 1} bytes"):
        files.named(PNG + bytes(api.BYTES_MAX + 1 - len(PNG)))


@given(st.binary(max_size=64))
def test_whatever_comes_is_of_a_type_that_is_served_or_of_none(head: bytes) -> None:
    assert api.type_of(head) in {None, *api.TYPES}


def test_a_store_is_chosen_by_the_settings_and_what_does_not_fit_is_said_at_start() -> None:
    def chosen(**table: object) -> list[str]:
        use = "isthmus.packs.media.service.s3_store:S3"
        keys = {"access_key": {"secret": "ID"}, "secret_key": {"secret": "KEY"}}
        providers = {"media": {"s3": {"use": use, **keys, **table}}}
        return setting_problems(shipped.PACKS, replace(load_config(), providers=providers))

    assert chosen(url="https://s3.example.org", bucket="pictures") == []
    (problem,) = chosen(url="https://s3.example.org", bucket="Pictures")
    assert "$.bucket" in problem
