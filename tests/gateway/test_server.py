"""The application around the calls: start and stop, readiness, mounts, worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from isthmus.gateway import auth, server
from isthmus.gateway.http import Gateway, Limits, asgi
from isthmus.gateway.ready import NotReady, Readiness
from isthmus.kernel import errors
from isthmus.store import Database

Connect = Callable[..., httpx.AsyncClient]

FACTORY = """
import asyncio, ctypes, os, time
from contextlib import asynccontextmanager
from pathlib import Path
from isthmus.gateway.http import asgi

HERE = Path(__file__).parent
time.sleep(float(os.environ.get("IMPORTS_FOR_S", "0")))

async def answer(scope, receive, send):
    path = scope["path"].strip("/")
    if path == "wait":  # until the test says so
        (HERE / "begun").touch()
        while not (HERE / "go").exists():
            await asyncio.sleep(0.01)
    if path == "think":  # in a thread, for longer than anybody waits
        (HERE / "begun").touch()
        await asyncio.to_thread(time.sleep, 600)
    if path == "child":  # that outlives a server which is killed
        child = await asyncio.create_subprocess_exec("sleep", "600")
        (HERE / "child").write_text(str(child.pid))
    if path == "lock":  # a call into C that keeps the lock of the interpreter
        ctypes.PyDLL(None).usleep(6_500_000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

@asynccontextmanager
async def start():
    yield answer

def make():
    return asgi(start)
"""
PATIENCE_S = 120  # of a busy machine
SUPERVISED_S = "6.5"  # longer than the five seconds after which uvicorn's own supervisor gives a worker up


async def test_health_needs_no_key_and_no_database(gateway: Gateway, shop: Database, connect: Connect) -> None:
    anyone = connect(gateway)
    await shop.close()
    assert (await anyone.get("/health")).json() == {"status": "up"}
    head = await anyone.head("/health")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "15")


async def test_ready_means_that_every_migration_is_applied(gateway: Gateway, shop: Database, connect: Connect) -> None:
    anyone = connect(gateway)
    assert (await anyone.get("/ready")).json() == {"status": "ready"}
    async with shop.platform() as session:
        await session.execute("delete from isthmus.migration where pack = 'shop'")
    response = await anyone.get("/ready")
    assert (response.status_code, response.json()["slug"]) == (503, "gateway.not-ready")
    assert response.json()["detail"] == "1 migration(s) are not applied, first shop/0001_shop.sql"
    assert response.headers["retry-after"] == "1"


async def test_what_is_mounted_gets_its_paths_and_the_gateway_keeps_its_own(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.method} {request.scope['root_path']} {request.path_params['rest']}")

    console = Starlette(routes=[Route("/{rest:path}", page, methods=["GET", "POST"])])
    anyone = connect(make_gateway(shop, mounts={"/console": console}))
    assert (await anyone.get("/console/orders")).text == "GET /console orders"
    assert (await anyone.post("/console/orders")).text == "POST /console orders"
    assert (await anyone.get("/consoles")).status_code == 404
    assert (await anyone.get("/health")).json() == {"status": "up"}


async def test_calls_beyond_what_a_process_bears_are_refused_at_once(
    shop: Database, make_gateway: Callable[..., Gateway], connect: Connect
) -> None:
    client = connect(make_gateway(shop, limits=Limits(calls_max=2)), await auth.create_client(shop, "south", "till"))
    answers = await asyncio.gather(*(client.post("/v1/shop.wait", json={"seconds": 0.3}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert (busy.json()["slug"], busy.headers["retry-after"]) == ("gateway.busy", "1")
    assert (await client.post("/v1/shop.wait", json={})).status_code == 200


@pytest.mark.parametrize(
    ("error", "message", "logged"),
    [
        (errors.Unavailable("no database", remedy="start it"), "the platform cannot start: no database; start it", 0),
        (RuntimeError("a defect"), "", 1),
    ],
)
async def test_a_start_that_fails_stops_the_server_with_its_reason_told_once(
    error: Exception, message: str, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def start() -> AsyncIterator[Any]:
        raise error
        yield

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await asgi(start)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": message}]
    assert len(caplog.records) == logged


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running(
    folder: Path, port: int, workers: int, before: str = "pass", **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server of the factory above in a process of its own, after what is to be done before."""
    (folder / "factory.py").write_text(FACTORY)
    listens = f"server.listening('127.0.0.1', {port})"
    code = f"from isthmus.gateway import server; {before}; server.run('factory:make', {listens}, workers={workers})"
    known = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environment}
    process = subprocess.Popen([sys.executable, "-c", code], env=known, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("workers", [1, 2])
def test_running_calls_end_when_the_server_is_stopped_and_nobody_else_is_left_waiting(
    tmp_path: Path, port: int, workers: int
) -> None:
    address = f"http://127.0.0.1:{port}"
    with running(tmp_path, port, workers) as process, ThreadPoolExecutor() as threads:
        assert len(_answered(address, workers)) == workers
        slow = threads.submit(httpx.get, f"{address}/wait", timeout=PATIENCE_S)
        _wait_for((tmp_path / "begun").exists)
        process.send_signal(signal.SIGTERM)
        _wait_for(lambda: not _is_open(port))
        for _ in range(5):  # refused at once; before, they hung until the running call had ended
            with pytest.raises(httpx.TransportError) as refused:
                httpx.get(f"{address}/", timeout=PATIENCE_S)
            assert not isinstance(refused.value, httpx.TimeoutException)
        (tmp_path / "go").touch()
        assert slow.result(PATIENCE_S).status_code == 200
        process.wait(PATIENCE_S)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_child_of_a_killed_server_keeps_its_address(tmp_path: Path, port: int, workers: int) -> None:
    address = f"http://127.0.0.1:{port}"
    with running(tmp_path, port, workers):
        assert _answered(address, workers)
        httpx.get(f"{address}/child", timeout=PATIENCE_S)
    child = psutil.Process(int((tmp_path / "child").read_text()))
    try:
        assert child.is_running()
        _wait_for(lambda: not _is_open(port))
        server.listening("127.0.0.1", port).close()
    finally:
        child.kill()


def test_a_server_that_is_stopped_waits_for_no_thread_that_nobody_waits_for(tmp_path: Path, port: int) -> None:
    impatient = "server.SHUTDOWN_S = 1; server.EndingServer.threads_s = 0.5"
    with running(tmp_path, port, 1, impatient) as process, ThreadPoolExecutor() as threads:
        assert _answered(f"http://127.0.0.1:{port}", 1)
        asked = threads.submit(httpx.get, f"http://127.0.0.1:{port}/think", timeout=PATIENCE_S)
        _wait_for((tmp_path / "begun").exists)
        process.send_signal(signal.SIGINT)  # SIGTERM ends it at once
        assert process.wait(PATIENCE_S) == 0
        with suppress(httpx.TransportError):
            assert asked.result(PATIENCE_S).status_code >= 500


def test_workers_that_import_for_long_or_are_busy_in_c_are_left_alone(tmp_path: Path, port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    with running(tmp_path, port, 2, IMPORTS_FOR_S=SUPERVISED_S):
        before = _answered(address, 2)
        busy = httpx.get(f"{address}/lock", timeout=PATIENCE_S).text
        assert busy in before
        assert _answered(address, 2) == before


def test_workers_end_with_their_supervisor_and_one_that_ends_is_replaced(tmp_path: Path, port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    with running(tmp_path, port, 2) as process:
        first, other = sorted(map(int, _answered(address, 2)))
        os.kill(first, signal.SIGKILL)
        _wait_for(lambda: len({str(first), str(other), *_answered(address, 2)}) == 3)
        workers = [psutil.Process(int(pid)) for pid in _answered(address, 2)]
        process.kill()
        process.wait()
        assert psutil.wait_procs(workers, PATIENCE_S)[1] == []


def test_a_supervisor_that_is_told_to_end_starts_no_worker_for_one_that_has_ended(tmp_path: Path, port: int) -> None:
    counted = tmp_path / "started"
    counting = (
        "from isthmus.gateway import supervisor; supervisor.RESTART_WAIT_S = 0; "
        "Worker = supervisor.Worker; begin = Worker.start; "
        f"Worker.start = lambda one: (begin(one), open({str(counted)!r}, 'a').write('+'))[0]"
    )
    with running(tmp_path, port, 2, counting) as process:
        first, other = sorted(map(int, _answered(f"http://127.0.0.1:{port}", 2)))
        process.send_signal(signal.SIGSTOP)  # so that it meets both at once
        os.kill(first, signal.SIGKILL)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_S) == 0
        assert counted.read_text() == "++"
        assert not psutil.pid_exists(other)


def _wait_for(fact: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < until
        time.sleep(0.02)


def _is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _answered(address: str, workers: int) -> set[str]:
    """Ask until every worker has answered, and return their process ids."""
    seen: set[str] = set()
    until = time.monotonic() + PATIENCE_S
    while len(seen) < workers and time.monotonic() < until:
        with suppress(httpx.TransportError):
            seen.add(httpx.get(f"{address}/").text)
        time.sleep(0.02)
    return seen


async def test_a_full_disk_and_a_database_that_takes_no_writes_are_not_ready(
    gateway: Gateway, shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readiness = Readiness(shop, (), tmp_path)
    await readiness.check()
    monkeypatch.setattr("isthmus.gateway.ready.free_bytes", lambda folder: 1 << 20)
    with pytest.raises(NotReady, match="has 1 MB left, and 64 MB are needed"):
        await readiness.check()
    monkeypatch.undo()
    monkeypatch.setattr("isthmus.gateway.ready._WRITE", "insert into isthmus.migration select 1/0")
    with pytest.raises(NotReady, match="takes no writes"):
        await readiness.check()


def test_a_port_that_another_program_has_is_refused_with_what_to_do_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "isthmus.cli", "serve", "--port", str(port)]
        known = {**os.environ, "ISTHMUS_DATA": str(tmp_path)}
        said = subprocess.run(command, env=known, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert f"127.0.0.1:{port} cannot be listened on: address already in use" in " ".join(said.stderr.split())
    assert "choose another with --port" in " ".join(said.stderr.split())
    assert "Traceback" not in said.stderr
    assert said.stdout == ""  # no console's address that nobody serves
    assert list(tmp_path.iterdir()) == []  # no database was made for it


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(server.CannotListen, match="cannot be listened on"):
        server.listening("127.0.0.1", 70_000)
