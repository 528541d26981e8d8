"""Tests on newer Pythons than the oldest one that is supported; `python -m tests.newer_pythons` runs them on each.

One is looked for where `ISTHMUS_PYTHON_3_13` and so on says, then on the path, then among pyenv's. It gets an
environment in `build/pythons`, and runs what goes deepest into Python: kernel, store and flows. One that cannot be had
is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NEWER = ("3.12", "3.13", "3.14")
TRIED = ("tests/kernel", "tests/store", "tests/flows")
ROOT = Path(__file__).resolve().parents[1]
MADE = ROOT / "build" / "pythons"
ANSWERS_WITHIN_S = 20


def find(version: str) -> str | None:
    """Return the program of a version, or None where it is nowhere."""
    return next((program for program in _places(version) if _is(program, version)), None)


def missing(version: str) -> str:
    """Return what to say of a version that is not there."""
    name = f"ISTHMUS_PYTHON_{version.replace('.', '_')}"
    return f"Python {version} was NOT tried: install python{version}, or set {name} to its program"


def passes(version: str, program: str) -> bool:
    """Say whether the tests pass on it, in an environment that is made once."""
    own = MADE / version / "bin" / "python"
    if not own.exists():
        subprocess.run([program, "-m", "venv", str(MADE / version)], check=True)
    install = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable"]
    subprocess.run([*install, ".[data,finance,test]", "--editable", "kits/storefront"], cwd=ROOT, check=True)
    tests = [str(own), "-m", "pytest", "-q", "-n", "2", "-m", "not slow", "-p", "no:cacheprovider", *TRIED]
    return subprocess.run(tests, cwd=ROOT, check=False).returncode == 0


def _places(version: str) -> Iterator[str]:
    if chosen := os.environ.get(f"ISTHMUS_PYTHON_{version.replace('.', '_')}"):
        yield chosen
        return
    yield f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from (str(one) for one in sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True))


def _is(program: str, version: str) -> bool:
    """Say whether a program runs and is of that version: pyenv has names on the path of what is not there."""
    ask = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        said = subprocess.run(ask, check=True, capture_output=True, text=True, timeout=ANSWERS_WITHIN_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return said.stdout.strip() == version


def main() -> int:
    """Try each version that can be had; exit 1 where the tests of one fail."""
    failed: list[str] = []
    for version in NEWER:
        program = find(version)
        if program is None:
            print(missing(version), file=sys.stderr)
            continue
        print(f"Python {version} is tried from {program}", file=sys.stderr)
        if not passes(version, program):
            failed.append(version)
    if failed:
        print(f"tests failed on Python {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
