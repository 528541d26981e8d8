"""The operators' guide from its installation on, as far as a machine without systemd goes: its lines, in our places.

Backing up and restoring are in tests/flows/test_restored.py, the wheel in tests/app/test_company.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.flows.test_restored import Cluster
from tests.flows.test_restored import cluster as cluster
from tests.waiting import until

from .walk import GUIDES, ROOT, environment, free_port

pytestmark = pytest.mark.slow
GUIDE = (GUIDES / "operate.md").read_text()
UNIT = (ROOT / "operate" / "isthmus.service").read_text()
ENDS_WITHIN_S = 45  # TimeoutStopSec of the unit


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder that stands for the root of a machine, and a database server."""

    root: Path
    port: str
    cluster: Cluster
    variables: dict[str, str]

    def here(self, line: str) -> str:
        """Return a line of the guide with the places and the group of this machine."""
        for was in ("/etc/isthmus", "/var/lib/isthmus"):
            line = line.replace(was, f"{self.root}{was}")
        return line.replace(" -g isthmus", "").replace("GROUP", "group")

    def run(self, begins: str) -> str:
        """Run the line of the guide that begins so, and return what it prints."""
        return self.shell(line_of(begins))

    def shell(self, line: str) -> str:
        ran = subprocess.run(
            ["bash", "-c", self.here(line)], cwd=ROOT, env=self.variables, check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    @contextmanager
    def served(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run what the unit of systemd runs, where and with what it says."""
        said = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
        given = dict(one.split("=", 1) for one in said["Environment"].split())
        credentials = f"{self.root}/etc/isthmus"  # where LoadCredential takes them from
        own = {name: self.here(value).replace("%d", credentials) for name, value in given.items()}
        command = shlex.split(said["ExecStart"].replace("/opt/isthmus/bin/", ""))
        server = subprocess.Popen(command, cwd=self.here(said["WorkingDirectory"]), env={**self.variables, **own})
        try:
            yield server
        finally:
            server.send_signal(getattr(signal, said["KillSignal"]))
            server.wait(ENDS_WITHIN_S)

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            try:
                return (await client.get("/ready")).status_code == 200
            except httpx.TransportError:
                return False


def line_of(begins: str) -> str:
    """Return the line of the guide that begins so."""
    found = [line for line in GUIDE.splitlines() if line.startswith(begins)]
    assert found, f"the guide no longer says {begins!r}"
    return found[0]


@pytest.fixture
def machine(cluster: Cluster, tmp_path: Path) -> Iterator[Machine]:
    root, port = tmp_path / "root", free_port()
    (root / "var" / "lib" / "isthmus").mkdir(parents=True)
    (root / "etc").mkdir()
    variables = environment(root, port)
    with cluster.started(cluster.folder / "data"):
        yield Machine(root, port, cluster, variables)
    shutil.rmtree(root)


async def test_a_platform_is_installed_watched_and_upgraded_as_the_guide_says(machine: Machine) -> None:
    machine.cluster.run(line_of("createuser isthmus").replace(" --pwprompt", ""))  # nobody is there to type it
    machine.run("install -d")
    address = f"isthmus@/isthmus?host={machine.cluster.folder}"
    machine.shell(line_of("echo 'postgresql://").replace("isthmus:…@127.0.0.1/isthmus", address))
    assert (machine.root / "etc/isthmus/database_url").stat().st_mode & 0o077 == 0
    settings = machine.root / "etc" / "isthmus"
    machine.variables["ISTHMUS_CONFIG"] = str(settings / "isthmus.toml")
    machine.run("ISTHMUS_DATABASE_URL_FILE=")
    machine.variables["ISTHMUS_DATABASE_URL_FILE"] = str(settings / "database_url")
    machine.variables["ISTHMUS_DATA"] = str(machine.root / "var/lib/isthmus")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{machine.port}", timeout=30) as client:
        with machine.served():
            await until(machine.is_ready, "that the platform is ready")
            assert (await client.get("/health")).status_code == 200
            machine.run("isthmus client create GROUP")
            key = (settings / "metrics.key").read_text()
            assert re.fullmatch(r"isth_\S+\n", key), "only the key"
            figures = await client.get("/metrics", headers={"authorization": f"Bearer {key.strip()}"})
            assert "isthmus_call_duration_seconds" in figures.text
        with pytest.raises(httpx.TransportError):
            await client.get("/health")
        assert "up to date" in machine.run("isthmus migrate ")
        with machine.served():
            await until(machine.is_ready, "that the platform is ready again")
            assert "holds" in machine.run("isthmus doctor")
