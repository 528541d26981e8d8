"""Every cell of the table in docs/guides/isolation.md, tried by code that looks for what it must not see."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from isthmus.runtime.isolation.sandbox import can_sandbox, sandboxed
from tests.runtime.isolated import HEAD

ROOT = Path(__file__).parents[2]
CANARY = "canary-of-the-platform"
SPY = '''
import os, socket

def seen():
    """Return what of the platform can be reached from here."""
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "mem"):
            try:
                with open(f"/proc/{one}/{name}", "rb") as file:
                    if name == "environ" and b"CANARY" in file.read():
                        found.append("environment")
                    elif name == "mem" and int(one) == PARENT:
                        found.append("memory")
            except OSError:
                pass
    for kind, address, name in ((socket.AF_UNIX, SOCKET, "database"), (socket.AF_INET, ("127.0.0.1", PORT), "network")):
        with socket.socket(kind) as one:
            try:
                one.connect(address)
                found.append(name)
            except OSError:
                pass
    for place, name in ((SECRET, "data"), (SOURCE, "source")):
        try:
            open(place, "r+b" if name == "source" else "rb").close()
            found.append(name)
        except OSError:
            pass
    try:
        os.kill(PARENT, 0)
        found.append("process")
    except OSError:
        pass
    return " ".join(sorted(set(found)))
'''
ANSWER = """
from .spy import seen

@answers(member.tier_for)
def tier(points: int) -> str:
    return seen() or "nothing"

FRONT_END = FrontEnd(code="north", name="North", owner="n", uses=("member.*",), answers=(tier,))
"""
TEST = """
from front_ends.north.spy import seen

def test_nothing_is_seen():
    raise AssertionError(f"seen: <{seen() or 'nothing'}>")
"""
PLATFORM = """
import asyncio, re, sys
from pathlib import Path
from isthmus.app.config import Config
from isthmus.packs.member import api as member
from isthmus.runtime.deploy.check import TestsFailed, run_tests
from isthmus.runtime.isolation.isolate import load_isolated
from isthmus.runtime.isolation.limits import Isolation
from isthmus.runtime.isolation.sandbox import hide_this_process
from tests.runtime.isolated import POINTS, asked
import os

hide_this_process()
mode, root, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
spy = (folder / "spy.py").read_text()
(folder / "spy.py").write_text(f"PARENT = {os.getpid()}\\n" + spy)
config = Config(root=root, data=root / "data", front_ends=root, database_url=os.environ["ISTHMUS_DATABASE_URL"])
if mode == "tests":
    try:
        asyncio.run(run_tests(folder, config.hidden))
    except TestsFailed as failed:
        print(re.findall("AssertionError: seen: <([^>]*)>", str(failed))[-1])
else:
    front_end = load_isolated(folder, Isolation(mode=mode, deadline_ms=60_000, hidden=config.hidden), POINTS)
    print(asked(front_end, member.tier_for)(1))
"""


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("inline", "data database environment network process source"),
        ("process", "nothing"),
        ("tests", "nothing"),
    ],
)
def test_what_code_of_a_front_end_sees_of_the_platform(tmp_path: Path, database_url: str, mode: str, seen: str) -> None:
    if mode != "inline" and not can_sandbox():
        pytest.skip("this system lets no program be run apart: the guide says what holds then")
    folder = tmp_path / "front_ends" / "north"
    folder.mkdir(parents=True)
    (tmp_path / "data").mkdir()
    secret = tmp_path / "data" / "secret"
    secret.write_text("of all front ends")
    place = parse_qs(urlsplit(database_url).query)["host"][0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        known = {"SOCKET": f"{place}/.s.PGSQL.5432", "PORT": server.getsockname()[1], "SECRET": str(secret)}
        known["SOURCE"] = str(ROOT / "src" / "isthmus" / "__init__.py")
        facts = "".join(f"{name} = {value!r}\n" for name, value in known.items())
        (folder / "spy.py").write_text(facts + SPY.replace("CANARY", CANARY))
        (folder / "__init__.py").touch()
        (folder.parent / "__init__.py").touch()
        (folder / "front_end.py").write_text(HEAD + ANSWER)
        (folder / "test_spy.py").write_text(TEST)
        environment = {**os.environ, "CANARY": CANARY, "ISTHMUS_DATABASE_URL": database_url}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        command = [sys.executable, "-c", PLATFORM, mode, str(tmp_path), str(folder)]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert set(seen.split()) <= set(found.stdout.split()), found.stderr
    if mode != "inline":
        assert found.stdout.strip() == seen


def test_what_runs_apart_has_no_rights_and_gets_none(tmp_path: Path) -> None:
    if not can_sandbox():
        pytest.skip("this system lets no program be run apart")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    code = f"""
import os, subprocess, tempfile
print(open({str(tmp_path / "kept" / "file")!r}).read(), os.listdir({str(tmp_path)!r}))
print(open("/proc/self/status").read().split("CapBnd:")[1].split()[0].strip("0") or "none")
print(subprocess.run(["umount", {str(tmp_path)!r}], capture_output=True).returncode != 0)
with tempfile.NamedTemporaryFile() as file:
    print(file.write(b"here"))
"""
    command = sandboxed([sys.executable, "-c", code], [tmp_path], [tmp_path / "kept"])
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == ["kept ['kept']", "none", "True", "4"], found.stderr


def test_a_program_that_runs_apart_ends_as_it_would_elsewhere() -> None:
    for code, ended in (("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9), ("pass", 0)):
        inner = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {code!r}]).returncode)"
        seen = subprocess.run(sandboxed([sys.executable, "-c", inner]), check=False).returncode
        assert seen in (ended, ended % 256)


SEARCH = """
import ctypes, json, os, pathlib, socket, stat

libc = ctypes.CDLL(None, use_errno=True)

def works(what):
    try:
        return what() is not False
    except (OSError, ValueError):
        return False

home = pathlib.Path(os.environ["HOME"])
devices = [pathlib.Path(at, one) for at, _, names in os.walk("/dev") for one in names]
found = {
    "sysctl": works(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
    "sysrq": works(lambda: open("/proc/sysrq-trigger", "r+").close()),
    "disk": any(stat.S_ISBLK(one.lstat().st_mode) for one in devices),
    "other devices": sorted({one.name for one in devices if stat.S_ISCHR(one.lstat().st_mode)}
                            - {"null", "zero", "full", "random", "urandom", "tty"}),
    "services": [str(one) for at in ("/run", "/var/run", "/var/tmp") for one in pathlib.Path(at).glob("*")],
    "shared memory": [one for one in os.listdir("/dev/shm") if one.startswith("PostgreSQL")],
    "vsock": works(lambda: socket.socket(40, socket.SOCK_STREAM).close()),
    "raw": works(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
    "ring": libc.syscall(425, 1, ctypes.create_string_buffer(120)) >= 0,
    "keys": libc.syscall({"x86_64": 250, "aarch64": 219}[os.uname().machine], 0, -3, 0) >= 0,
    "secrets": [
        str(one)
        for one in (home / ".pgpass", home / ".ssh" / "id", home / ".cargo" / "credentials.toml",
                    pathlib.Path("/etc/shadow"))
        if one.exists() and works(lambda: open(one, "rb").close()) and one.read_bytes()
    ],
    "abstract socket": works(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + os.environ["ABSTRACT"])),
    "parent": os.getppid(),
    "open files": [one for one in os.listdir("/proc/self/fd")
                   if int(one) > 2 and os.path.exists(f"/proc/self/fd/{one}")],
    "handles": libc.syscall({"x86_64": 428, "aarch64": 428}[os.uname().machine], -100, b"/", 1) >= 0,
    "what is hidden, taken away": libc.unshare(0x10000000 | 0x20000) == 0
        and any(libc.umount2(one, 2) == 0 for one in (b"/run", b"/tmp", bytes(home / ".ssh"))),
    "remount": works(lambda: libc.mount(b"none", b"/", None, 32 | 4096, None) == 0),
    "user namespace and proc": libc.unshare(0x10000000 | 0x20000) == 0
        and works(lambda: open("/proc/self/uid_map", "w").write("0 0 1")),
    "write": works(lambda: open("/etc/isthmus-was-here", "w").close()),
}
assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
with open("/dev/null", "w") as null, open("/dev/shm/mine", "w") as shared, open("/tmp/mine", "w") as own:
    assert null.write("x") and shared.write("x") and own.write("x")
socket.socketpair()
socket.socket(socket.AF_INET6).close()
print(json.dumps({name: was for name, was in found.items() if was}))
"""


def test_what_runs_apart_finds_no_way_out(tmp_path: Path) -> None:
    """Also as root, whom files of /proc and devices let in by name and not by right."""
    if not can_sandbox():
        pytest.skip("this system lets no program be run apart")
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id").write_text("secret")
    (home / ".pgpass").write_text("secret")
    (home / ".python_history").symlink_to("/dev/null")
    (home / ".cargo").mkdir()
    (home / ".cargo" / "credentials.toml").write_text("secret")
    program = "import os, sys; from isthmus.runtime.isolation.sandbox import sandboxed\n"
    program += f"os.execv(sys.executable, sandboxed([sys.executable, '-c', {SEARCH!r}], kept=[{str(tmp_path)!r}]))"
    program = program.replace(f"kept=[{str(tmp_path)!r}]", f"kept=[__import__('pathlib').Path({str(tmp_path)!r})]")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + (name := f"isthmus-{tmp_path.name}-{os.getpid()}"))
        listening.listen()
        environment = {**os.environ, "HOME": str(home), "ABSTRACT": name}
        found = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "{}"
