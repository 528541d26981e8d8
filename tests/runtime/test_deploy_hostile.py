"""What a sender chooses costs what it is allowed to, whatever it says of itself: archives, numbers, names."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.gateway.auth import Principal
from isthmus.gateway.deploys import SCOPE, WAITING_MAX, DeployEndpoint
from isthmus.kernel import Caller, errors
from isthmus.manifest.actions import DEPLOY, Action
from isthmus.runtime.deploy import versions
from isthmus.store import Database

from .deployed import deploy_context, write

MEMORY_MAX = 4 * versions.UNPACKED_MAX  # what is unpacked, its files and what a Python takes to write them


def archive(*entries: tuple[tarfile.TarInfo, bytes], mode: str = "w", form: int = tarfile.USTAR_FORMAT) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=cast(Any, mode), format=form) as tar:
        for entry, content in entries:
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def file(name: str, size: int = 0) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size = size
    return found


def sparse(size: int) -> bytes:
    """Return an archive of one sparse file that is all hole, as GNU tar writes it."""
    entry = tarfile.TarInfo("rules.py")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def bomb() -> bytes:
    """Return an archive in an archive, which is large when it is opened."""
    return zlib.compress(lzma.compress(archive((file("a.bin", 300 << 20), bytes(300 << 20))), preset=0))


def sparse_in_headers() -> bytes:
    pax = tarfile.TarInfo("b.py")
    pax.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    return zlib.compress(archive((pax, b""), form=tarfile.PAX_FORMAT))


def header_alone(size: int, form: int) -> bytes:
    """Return an archive of a header that says how long its content is, and of nothing else."""
    return zlib.compress(file("d.py", size).tobuf(form) + bytes(1024))


def packed(*names: str) -> bytes:
    return zlib.compress(archive(*((file(name), b"") for name in names)))


# Archives that say more than they are, by what is wrong with them. Each is made by its test alone: one takes a second.
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a sparse file": lambda: zlib.compress(sparse(1 << 40)),
    "an archive in an archive": bomb,
    "a sparse file in headers": sparse_in_headers,
    "names in headers": lambda: zlib.compress(archive((file("c" * 9_000), b""), form=tarfile.GNU_FORMAT)),
    "a size beyond its content": lambda: header_alone(30 << 20, tarfile.USTAR_FORMAT),
    "a size beyond all bounds": lambda: header_alone(1 << 60, tarfile.GNU_FORMAT),
    "folders in folders": lambda: packed("d/" * 40 + "e.py"),
    "too many files": lambda: packed(*(f"{n}.py" for n in range(versions.FILES_MAX + 1))),
    "a file twice": lambda: packed("f.py", "f.py"),
    "a file in a file": lambda: packed("g", "g/h.py"),
    "a module that was translated elsewhere": lambda: packed("__pycache__/rules.pyc"),
    "a hidden file": lambda: packed("deep/.rules.py"),
    "no name": lambda: packed("."),
    "half of it": lambda: zlib.compress(archive((file("i.py", 3), b"abc")))[:-9],
    "something after it": lambda: zlib.compress(archive((file("i.py", 3), b"abc"))) + b"more",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_takes_the_memory_that_it_is_allowed_and_is_refused(tmp_path: Path, name: str) -> None:
    content = HOSTILE[name]()
    tracemalloc.start()
    try:
        with pytest.raises((versions.NotAnArchive, versions.TooLarge)):
            versions.unpack(content, tmp_path / "north")
        assert tracemalloc.get_traced_memory()[1] < MEMORY_MAX
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "north").exists()


def test_what_is_packed_here_is_unpacked_byte_for_byte(tmp_path: Path) -> None:
    folder = write(tmp_path / "work", "first")
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "deep" / "deeper" / ("n" * 90 + ".txt")).write_bytes(bytes(range(256)) * 9)
    (folder / "\u00e9.txt").write_text("\u00e9")
    packed = versions.pack(folder)
    versions.unpack(packed.content, tmp_path / "out" / "north")
    assert versions.content_hash(tmp_path / "out" / "north") == packed.hash
    (folder / ("m" * 150 + ".txt")).touch()
    with pytest.raises(versions.NotAFrontEnd, match="shorter name"):
        versions.pack(folder)


HEADS = (b"ustar\x00000", b"ustar  \0", b"\0" * 8)
NAMES = (b"../x", b"/x", b"a/../../x", b"..", b"a//b", b"./x", b"a\nb", b"\xff\xfe", b"a/" * 40, b"", b"x/", b".x")
SIZES = (b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-0000000001\0", b" " * 12, b"0000000x00\0\0")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.lists(
        st.one_of(
            st.tuples(st.just((0, 100)), st.sampled_from(NAMES)),
            st.tuples(st.just((124, 136)), st.sampled_from(SIZES)),
            st.tuples(st.just((156, 157)), st.binary(min_size=1, max_size=1)),
            st.tuples(st.just((157, 257)), st.sampled_from(NAMES)),
            st.tuples(st.just((257, 265)), st.sampled_from(HEADS)),
            st.tuples(st.just((345, 500)), st.sampled_from(NAMES)),
        ),
        max_size=4,
    ),
    cut=st.integers(0, 3_000),
    wraps=st.sampled_from([zlib.compress, gzip.compress, bytes, lambda one: zlib.compress(one)[2:-4]]),
)
def test_an_archive_with_any_head_is_unpacked_within_its_folder_or_refused(
    tmp_path: Path, fields: list[tuple[tuple[int, int], bytes]], cut: int, wraps: Any
) -> None:
    content = bytearray(archive((file("rules.py", 3), b"abc"), (file("deep/more.py", 600), b"x" * 600)))
    for (begin, end), value in fields:
        content[begin:end] = value[: end - begin].ljust(end - begin, b"\0")
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
    with tempfile.TemporaryDirectory(dir=tmp_path) as made:
        with suppress(versions.NotAnArchive, versions.TooLarge):
            versions.unpack(wraps(bytes(content[: max(0, len(content) - cut)])), Path(made) / "in" / "north")
        written = {one.relative_to(made).parts[:2] for one in Path(made).rglob("*") if not one.is_dir()}
        assert written <= {("in", "north")}
    assert {one.name for one in tmp_path.iterdir()} <= set()


async def permit(caller: Caller, action: Action) -> None:
    """Let everybody do everything, but deploy as somebody whom a policy forbids it."""
    if caller.client == "forbidden" and action == DEPLOY:
        raise errors.NotPermitted("no policy permits it", remedy="ask an owner")


async def test_a_key_that_policies_do_not_let_deploy_changes_nothing(database: Database, tmp_path: Path) -> None:
    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end="north", name="forbidden", scopes=(SCOPE,), until=0)

    endpoint = DeployEndpoint(deploy_context(database, tmp_path / "cache"), admit, tmp_path, ("false",), permit)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast(Any, endpoint)), base_url="http://deploy"
    ) as forbidden:
        for path in ("/", "/promote", "/rollback", "/shadow"):
            assert (await forbidden.post(path, content=b"x")).status_code == 403, path
        assert (await forbidden.get("/versions")).status_code == 200


@pytest.fixture
async def team(database: Database, tmp_path: Path) -> httpx.AsyncClient:
    """Give a client of a team that may deploy."""

    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end="north", name="team", scopes=(SCOPE,), until=0)

    endpoint = DeployEndpoint(deploy_context(database, tmp_path / "cache"), admit, tmp_path, ("false",), permit)
    return httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, endpoint)), base_url="http://deploy")


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5_000, "1e1", "-1", "101", " 1", "", "\u0663", "1\0"])
@pytest.mark.parametrize("name", ["percent", "shadow"])
async def test_digits_that_are_no_number_are_refused_with_their_name(
    team: httpx.AsyncClient, name: str, number: str
) -> None:
    if number == "":
        return  # an empty value is none
    answer = await team.post("/", params={name: number}, content=b"x")
    assert (answer.status_code, answer.json()["path"]) == (400, name)
    for path, query in (("/rollback", {"version": number}), ("/shadow", {"version": "v1", name: number})):
        assert 400 <= (await team.post(path, params=query)).status_code < 500


@pytest.mark.parametrize("reason", ["a\0b", "x" * 10_000])
async def test_a_reason_that_no_column_holds_is_no_defect(team: httpx.AsyncClient, reason: str) -> None:
    assert (await team.post("/rollback", params={"reason": reason})).status_code < 500


async def test_what_is_no_archive_is_told_to_the_sender(team: httpx.AsyncClient) -> None:
    answer = await team.post("/", content=zlib.compress(sparse(1 << 40)))
    assert (answer.status_code, answer.json()["slug"]) == (400, "runtime.not-an-archive")


async def test_no_more_folders_wait_than_memory_is_for(database: Database, tmp_path: Path) -> None:
    async def admit(_: bytes | None) -> Principal:
        return Principal(front_end="north", name="team", scopes=(SCOPE,), until=0)

    endpoint = DeployEndpoint(deploy_context(database, tmp_path / "cache"), admit, tmp_path, ("false",), permit)
    endpoint._waiting = WAITING_MAX
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/", "method": "POST", "headers": [], "query_string": b""}
    await endpoint(scope, None, send)
    assert sent[0]["status"] == 503
    assert msgspec.json.decode(sent[1]["body"])["slug"] == "gateway.busy"
