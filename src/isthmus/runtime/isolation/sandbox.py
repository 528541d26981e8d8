"""Run a front end's code where the platform cannot be seen: other processes, the database's socket, the network.

    stub ──▶ user, mount, network, process and IPC namespaces of its own ──▶ files can be read only, hidden folders are
         empty, /dev has no disk, /proc is its own and says nothing that can be set ──▶ no capabilities, and none to be
         had; no sockets that reach beyond the namespaces (vsock), no keys of the user ──▶ the program

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

# Of root, whose files a sandbox of root may write wherever they are no files: /proc/sys can start programs outside, and
# a disk is everything. So /proc can be read only, and of the devices there are the harmless ones.
SOCKETS: Final = ("/run", "/var/run")  # of services that are controlled by whoever may connect: containers, databases
SECRETS: Final = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".local/share/keyrings",
    ".pgpass", ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".my.cnf", ".m2/settings.xml", ".config/gh",
    ".cargo/credentials", ".cargo/credentials.toml", ".config/pip", ".config/containers", ".vault-token",
    ".bash_history", ".zsh_history", ".psql_history", ".python_history",
)  # fmt: skip

PASSWORDS: Final = ("/etc/shadow", "/etc/gshadow", "/etc/ssl/private")  # of the machine, where root runs this

# Arguments: folders and files that are empty there, folders that stay as they are (`:` between them), then the program.
_STUB: Final = r"""
import ctypes, errno, fcntl, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
empty, kept, program = sys.argv[1].split(":"), [one for one in sys.argv[2].split(":") if one], sys.argv[3:]
NEWNS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, BIND, REC, PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ARCHITECTURES = {  # its number; then of socket, and of what is refused: rings, keys, bpf, perf, userfaultfd, kexec
    "x86_64": (0xC000003E, 41, (425, 248, 249, 250, 321, 298, 323, 246)),
    "aarch64": (0xC00000B7, 198, (425, 217, 218, 219, 280, 241, 282, 104)),
}

def do(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def mount(source, target, kind, flags, data=None):
    do(libc.mount(source.encode(), target.encode(), kind, flags, data))

def attributes(path, flags, wanted, unwanted):
    given = (ctypes.c_uint64 * 4)(wanted, unwanted, 0, 0)
    do(libc.syscall(442, -100, path.encode(), flags, ctypes.byref(given), 32))  # mount_setattr(2), Linux 5.12

def devices(nodes):
    mount("tmpfs", "/dev", b"tmpfs", NOSUID, b"size=256m,mode=0755")
    for name, node in nodes.items():
        open(f"/dev/{name}", "w").close()
        mount(f"/proc/self/fd/{node}", f"/dev/{name}", None, BIND)
        attributes(f"/dev/{name}", 0, 0, NODEV)
    for at, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{at}", f"/dev/{name}")
    os.symlink("/proc/self/fd", "/dev/fd")
    os.mkdir("/dev/shm")
    os.chmod("/dev/shm", 0o1777)

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
    attributes("/", 0x8000, RDONLY | NOSUID | NODEV, 0)  # and all below it
    nodes = {one: os.open(f"/dev/{one}", os.O_PATH) for one in DEVICES if os.path.exists(f"/dev/{one}")}
    held = {one: os.open(one, os.O_PATH) for one in kept if os.path.isdir(one)}
    devices(nodes)
    nothing = os.open("/dev/nothing", os.O_CREAT | os.O_RDONLY, 0o444)
    for path in sorted({*filter(None, empty), *held}, key=lambda one: one.count("/")):  # the inner one holds
        if path in held:
            if not os.path.isdir(path) or not os.path.samestat(os.stat(path), os.fstat(held[path])):
                os.makedirs(path, exist_ok=True)
                mount(f"/proc/self/fd/{held[path]}", path, None, BIND | REC)
        elif os.path.isdir(path):
            mount("tmpfs", path, b"tmpfs", NOSUID | NODEV, b"size=256m,mode=0755")
        elif os.path.isfile(path):
            mount(f"/proc/self/fd/{nothing}", path, None, BIND)
            attributes(path, 0, RDONLY, 0)
    os.unlink("/dev/nothing")
    for descriptor in (*nodes.values(), *held.values(), nothing):
        os.close(descriptor)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh14x", b"lo", 1))  # its own loopback goes up

def powerless():
    for capability in range(64):  # the bounding set: none is to be had again by running a program
        if libc.prctl(24, capability, 0, 0, 0):
            break
    do(libc.prctl(38, 1, 0, 0, 0))  # no new privileges
    machine, make, refused = ARCHITECTURES.get(os.uname().machine, (0, 0, ()))
    if machine:
        load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
        no, yes = 0x50000 | errno.EPERM, 0x7FFF0000
        rules = [(load, 0, 0, 4), (equal, 1, 0, machine), (end, 0, 0, no)]
        rules += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (end, 0, 0, no)]
        for number in refused:
            rules += [(equal, 0, 1, number), (end, 0, 0, no)]
        rules += [(equal, 0, 5, make), (load, 0, 0, 16)]  # sockets are of these families, or of none
        rules += [(equal, 3 - at, 0, kind) for at, kind in enumerate((1, 2, 10))]
        rules += [(equal, 0, 1, 16), (end, 0, 0, yes), (end, 0, 0, 0x50000 | errno.EAFNOSUPPORT), (end, 0, 0, yes)]
        packed = b"".join(struct.pack("=HBBI", *one) for one in rules)
        kept = ctypes.create_string_buffer(packed)
        program = struct.pack("@HP", len(rules), ctypes.addressof(kept))
        do(libc.prctl(22, 2, program, 0, 0))  # seccomp(2)

apart()
child = os.fork()  # the first of its processes: the others end with it
if child == 0:
    libc.prctl(1, 9, 0, 0, 0)
    try:
        mount("proc", "/proc", b"proc", RDONLY | NOSUID | NODEV | NOEXEC)
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
    secrets = (Path.home() / one for one in SECRETS)
    never = map(Path, (*SOCKETS, *PASSWORDS, "/var/tmp"))
    closed = dict.fromkeys((*hidden, *never, *secrets, Path(tempfile.gettempdir())))
    at = dict.fromkeys(one.resolve() for one in closed)
    empty = ":".join(str(one) for one in at if not one.is_char_device())  # a history that leads to /dev/null is none
    there = ":".join(str(one.resolve()) for one in (*python, *kept))
    return [sys.executable, "-I", "-S", "-c", _STUB, empty, there, *command]


def hide_this_process() -> None:
    """Keep others of the same user from reading this process: its environment, its memory, its open files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
