"""Debian's PostgreSQL 15, found or installed, for tests of an older server; `python -m tests.postgres15` says which.

Where there is none and none may be installed, these tests are skipped, and say so with the reason.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BINARIES = Path(os.environ.get("ISTHMUS_POSTGRES_15") or "/usr/lib/postgresql/15/bin")
MISSING = "PostgreSQL 15 was NOT tried: on Debian 12, apt-get install postgresql-15, or set ISTHMUS_POSTGRES_15"
ACCOUNTS = ("pgserver", "postgres", "nobody")  # PostgreSQL does not run as root
INSTALLS_WITHIN_S = 300


def install() -> bool:
    """Install it where that is allowed, and say whether it is there now."""
    if not _is_there() and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in ("apt-get update -q", "apt-get install -qy --no-install-recommends postgresql-15"):
            try:
                subprocess.run(command.split(), check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)
            except (subprocess.SubprocessError, OSError):
                return False
    return _is_there()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a server in a folder that is not there yet, as its superuser, until the block ends."""
    folder.mkdir(mode=0o700, parents=True)
    folder.parent.chmod(0o711)  # the account that runs it passes through
    account = None
    if os.geteuid() == 0:
        account = next(name for name in ACCOUNTS if _is_known(name))
        shutil.chown(folder, account)
    _run(account, "initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    _run(account, "pg_ctl", "start", "-w", "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        _run(account, "pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(folder / "data"))


def _is_there() -> bool:
    return (BINARIES / "initdb").is_file()


def _is_known(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def _run(account: str | None, program: str, *arguments: str) -> None:
    as_ = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
    command = [str(BINARIES / program), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **as_)  # type: ignore[call-overload]


if __name__ == "__main__":
    print(f"PostgreSQL 15 is tried from {BINARIES}" if install() else MISSING, file=sys.stderr)
