"""Run a front end's code where the platform cannot be seen: other processes, the database's socket, the network.

    stub ──▶ user, mount, network, process and IPC namespaces of its own ──▶ files can be read only, hidden folders are
         empty, /proc is its own ──▶ no capabilities, and none to be had ──▶ the program

It is what bubblewrap does, of the kernel alone (Linux with user namespaces). Where the kernel refuses it, the program
runs as it always did, a warning says so, and the platform's processes still show nothing of themselves.
"""

from __future__ import annotations

import ctypes
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import isthmus

from ..deploy.loading import company_folders

LOOK_LIMIT_S: Final = 60
log = logging.getLogger("isthmus.runtime")

_NOT_DUMPABLE: Final = 4  # PR_SET_DUMPABLE of prctl(2)

# Arguments: folders that are empty there, folders that stay as they are (`:` between them), then the program.
_STUB: Final = r"""
import ctypes, fcntl, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
empty, kept, program = sys.argv[1].split(":"), [one for one in sys.argv[2].split(":") if one], sys.argv[3:]
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18

def do(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def mount(source, target, kind, flags, data=None):
    do(libc.mount(source.encode(), target.encode(), kind, flags, data))

def read_only():
    wanted = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # MOUNT_ATTR_RDONLY, of / and all below it
    do(libc.syscall(442, -100, b"/", 0x8000, ctypes.byref(wanted), 32))  # mount_setattr(2), Linux 5.12

def apart():
    dies_with = ctypes.c_int()
    libc.prctl(2, ctypes.byref(dies_with), 0, 0, 0)
    uid, gid = os.getuid(), os.getgid()
    do(libc.unshare(NEWUSER | NEWNS | NEWIPC | NEWPID | NEWNET))
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {uid} 1")
    write("/proc/self/gid_map", f"{gid} {gid} 1")
    libc.prctl(1, dies_with.value, 0, 0, 0)  # a change of rights takes it away
    mount("none", "/", None, REC | PRIVATE)
    read_only()
    held = {one: os.open(one, os.O_PATH) for one in kept if os.path.isdir(one)}
    hidden = [one for one in empty if one and os.path.isdir(one)]
    for folder in hidden:
        mount("tmpfs", folder, b"tmpfs", NOSUID | NODEV, b"size=256m,mode=0755")
    for folder, descriptor in held.items():
        if any(folder == one or folder.startswith(one + "/") for one in hidden):
            os.makedirs(folder, exist_ok=True)
            mount(f"/proc/self/fd/{descriptor}", folder, None, BIND | REC)
        os.close(descriptor)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))  # its own loopback goes up

def powerless():
    for capability in range(64):  # the bounding set: none is to be had again by running a program
        if libc.prctl(24, capability, 0, 0, 0):
            break
    do(libc.prctl(38, 1, 0, 0, 0))  # no new privileges

apart()
child = os.fork()  # the first of its processes: the others end with it
if child == 0:
    libc.prctl(1, 9, 0, 0, 0)
    try:
        mount("proc", "/proc", b"proc", NOSUID | NODEV | NOEXEC)
    except OSError:
        pass  # in a container, /proc may have to stay the one that it has
    powerless()
    os.execv(program[0], program)
_, status = os.waitpid(child, 0)
code = os.waitstatus_to_exitcode(status)
if code < 0:
    os.kill(os.getpid(), -code)
os._exit(code)
"""
_LOOK: Final = "import os; print(os.getpid(), os.access('/', os.W_OK))"  # the first there, and / is not to be written


def sandboxed(command: Sequence[str], hidden: Sequence[Path] = (), kept: Sequence[Path] = ()) -> list[str]:
    """Return the command that runs this one apart, where the system can: else the command itself.

    hidden: folders that are empty there, as the one for temporary files is. kept: folders that are there all the same.
    """
    return _wrapped(command, hidden, kept) if can_sandbox() else [*command]


@lru_cache(maxsize=1)
def can_sandbox() -> bool:
    """Say whether the system lets a program be run apart; found out once, by running one."""
    if sys.platform != "linux":
        return False
    look = _wrapped([sys.executable, "-I", "-S", "-c", _LOOK], (), ())
    try:
        found = subprocess.run(look, capture_output=True, check=False, timeout=LOOK_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return False
    is_apart = found.stdout.split() == [b"1", b"False"]
    if not is_apart:
        log.warning(
            "front ends cannot be run apart here, so isolation = 'process' and the tests of a deploy see the socket of "
            "the database and the files of this user (%s): allow user namespaces, or use isolation = 'http'",
            found.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "no word of why",
        )
    return is_apart


def _wrapped(command: Sequence[str], hidden: Sequence[Path], kept: Sequence[Path]) -> list[str]:
    python = {Path(sys.prefix), Path(sys.base_prefix), Path(isthmus.__file__).parents[1], *company_folders()}
    empty = ":".join(str(one.resolve()) for one in (*hidden, Path(tempfile.gettempdir())))
    there = ":".join(str(one.resolve()) for one in (*python, *kept))
    return [sys.executable, "-I", "-S", "-c", _STUB, empty, there, *command]


def hide_this_process() -> None:
    """Keep others of the same user from reading this process: its environment, its memory, its open files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
