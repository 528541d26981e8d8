"""The image of a server: built by the Containerfile that is shipped, and started as somebody who owns nothing.

Its base is what the Containerfile names, where a registry of images is reached; here Debian's own packages make one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

from tests import debian
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROGRAMS = ("buildah", "debootstrap")
PACKAGES = "python3,python3-venv,ca-certificates"
SUITE = "bookworm"
USER = 10001  # as the Containerfile says
MISSING = "the image was NOT built: that needs buildah and debootstrap, root, and Debian's packages"
CERTIFICATES = Path("/etc/ssl/certs")


class Builder:
    """buildah with a store of its own, which needs neither an engine nor a kernel that lets it make namespaces."""

    def __init__(self, folder: Path) -> None:
        self._own = ("--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")

    def command(self, *arguments: str) -> list[str]:
        return ["buildah", *self._own, *arguments]

    def __call__(self, *arguments: str) -> str:
        ran = subprocess.run(self.command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.strip()


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """Give a builder that has an image of Debian with Python, as `base`."""
    if os.geteuid() != 0 or not all(shutil.which(one) or debian.install(one) for one in PROGRAMS):
        pytest.skip(MISSING)
    folder = Path(os.environ.get("TMPDIR", "/var/tmp")) / f"isthmus-image-{os.getpid()}"  # large: not in memory
    folder.mkdir(parents=True)
    try:
        known = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True)
        site = known.stdout.split()[:1]
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, folder / "base", *site],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"{MISSING}; {made.stdout[-200:]}")
        builder = Builder(folder)
        empty = builder("from", "scratch")
        builder("copy", "--quiet", empty, str(folder / "base"), "/")
        builder("commit", "--quiet", empty, "base")
        yield builder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def reached_by_port(url: str) -> AsyncIterator[str]:
    """Give the address of the tests' database by a port: in an image nobody sees the folder of its socket."""
    parts = urlsplit(url)
    place = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while found := await reader.read(65_536):
                writer.write(found)
                await writer.drain()
        writer.close()

    async def carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(place)
        await asyncio.gather(copied(reader, to_server), copied(from_server, writer))

    async with await asyncio.start_server(carried, "127.0.0.1", 0) as server:
        yield f"postgresql://postgres@127.0.0.1:{server.sockets[0].getsockname()[1]}{parts.path}?sslmode=disable"


async def test_the_image_that_is_built_migrates_and_serves_as_nobody_in_particular(
    builder: Builder, empty_url: str, tmp_path: Path
) -> None:
    built = ("--isolation", "chroot", "--network", "host", "--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro")
    file = ("--build-arg", "BASE=localhost/base", "--file", "operate/Containerfile", "--tag", "isthmus")
    await asyncio.to_thread(builder, "build", *built, *file, ".")
    image = builder("from", "localhost/isthmus")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, address = tmp_path / "data", tmp_path / "database_url"
    data.mkdir()
    os.chown(data, USER, USER)
    run = (
        "run", "--isolation", "chroot", "--network", "host", "--user", "isthmus", "--env", f"ISTHMUS_PORT={port}",
        "--volume", f"{data}:/data:rw", "--volume", f"{address}:/run/secrets/database_url:ro", image, "--",
    )  # fmt: skip
    async with reached_by_port(empty_url) as url:
        address.write_text(url)
        refused = subprocess.run(builder.command(*run, "touch", "/opt/isthmus/mine"), capture_output=True)  # noqa: ASYNC221
        assert b"Permission denied" in refused.stderr
        await asyncio.to_thread(builder, *run, "isthmus", "migrate")
        serving = subprocess.Popen(builder.command(*run, "isthmus", "serve", "--workers", "2"))  # noqa: ASYNC220
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

                async def is_ready() -> bool:
                    assert serving.poll() is None, "the server has ended"
                    with suppress(httpx.TransportError):
                        return (await client.get("/ready")).status_code == 200
                    return False

                await until(is_ready, "that the image serves")
                assert (await client.get("/health")).status_code == 200
            servers = [one for one in psutil.process_iter() if _serves(one, port)]
            assert {one.uids().real for one in servers} == {USER}
            for one in servers:
                one.terminate()
            await asyncio.to_thread(serving.wait, PATIENCE_S)
        finally:
            serving.kill()


def _serves(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in process.net_connections())
    return False
