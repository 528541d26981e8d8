"""Try a front end in processes of its own before the platform touches it: does it load, and do its tests pass?

They have no platform environment and no credentials, run apart where the system can (`isolation/sandbox`), and an
endless loop in them ends with their time.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from isthmus.kernel import errors

from ..children import run_child
from ..isolation.sandbox import sandboxed
from .loading import NotAFrontEnd, import_path
from .versions import Packed, unpack

LOAD_LIMIT_S: Final = 30
TESTS_LIMIT_S: Final = 300  # a team that needs more runs the rest of them before it deploys
TEST_LIMIT_S: Final = 60  # of one test: one that loops is named, long before all of them are late
SHOWN_MAX: Final = 6_000  # characters of what tests said: their end is what matters

_LOAD: Final = """
import sys
from pathlib import Path
from isthmus.runtime.deploy.loading import load_front_end
print("code", load_front_end(Path(sys.argv[1])).code)
"""
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "VIRTUAL_ENV")
_LATE: Final = re.compile(r"Timeout \(\d+:\d\d:\d\d\)!\n")  # how faulthandler begins, behind the dots of what passed
_FRAME: Final = re.compile(r'File "([^"]*)", line (\d+) in (test\w*)')
_NO_TESTS: Final = 5  # pytest's exit code where it collected none


class TestsFailed(errors.RuleBroken):
    """The front end's own tests do not pass."""

    slug = "runtime.tests-failed"
    __test__ = False


@asynccontextmanager
async def laid_out(packed: Packed) -> AsyncGenerator[Path]:
    """Give a packed folder as its tests import it: `front_ends.NAME`, alone; what is tested is what was packed."""
    with tempfile.TemporaryDirectory(prefix="isthmus-deploy-") as made:
        package = Path(made) / "front_ends"
        inside = package / packed.folder
        await asyncio.to_thread(unpack, packed.content, inside)
        (package / "__init__.py").touch()
        yield inside


async def code_of(folder: Path, hidden: Sequence[Path] = ()) -> str:
    """Load a front end elsewhere and return its code. Raises NotAFrontEnd with what it said."""
    status, said = await _run([sys.executable, "-c", _LOAD, str(folder)], folder.parent.parent, LOAD_LIMIT_S, hidden)
    last = said.strip().splitlines()[-1] if said.strip() else "nothing was said"
    if status is None:
        raise NotAFrontEnd(
            f"loading {folder.name} does not end within {LOAD_LIMIT_S} s", remedy="importing must do nothing"
        )
    if status or not last.startswith("code "):
        raise NotAFrontEnd(f"{folder.name} cannot be loaded: {last}", remedy="fix it, then deploy it again")
    return last.removeprefix("code ")


async def run_tests(folder: Path, hidden: Sequence[Path] = ()) -> bool:
    """Run a front end's tests; return False where it has none. Raises TestsFailed with what they said."""
    if not await asyncio.to_thread(_has_tests, folder):
        return False
    if importlib.util.find_spec("pytest") is None:
        raise TestsFailed("the tests cannot run: pytest is not installed", remedy="pip install pytest")
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(folder.parent.parent), "--color=no", "--disable-warnings"]
    command += ["-o", f"faulthandler_timeout={TEST_LIMIT_S}", "-o", "faulthandler_exit_on_timeout=true"]
    if importlib.util.find_spec("pytest_asyncio") is not None:
        command += ["-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto"]
    status, said = await _run([*command, str(folder)], folder.parent.parent, TESTS_LIMIT_S, hidden)
    if status is None:
        raise TestsFailed(
            f"the tests of {folder.name} do not end within {TESTS_LIMIT_S} s; where one was last seen:\n"
            f"{said.strip()[-SHOWN_MAX:]}\n",
            remedy="fix the test that does not end",
        )
    if late := _LATE.search(said):
        frames = said[late.start() :].partition("/_pytest/")[0].rpartition("\n")[0]
        which = _test_in(frames)
        raise TestsFailed(
            f"a test of {folder.name} does not end within {TEST_LIMIT_S} s: {which}; where it was:\n{frames}\n",
            remedy="fix the test that does not end",
        )
    if status not in (0, _NO_TESTS):
        raise TestsFailed(
            f"the tests of {folder.name} do not pass:\n{said.strip()[-SHOWN_MAX:]}\n",
            remedy="fix the rule or the test",
        )
    return status == 0


def _test_in(said: str) -> str:
    """Return the test that a process was in when it was ended, by its file and line."""
    frames = [found for found in _FRAME.findall(said) if Path(found[0]).stem.startswith("test_")]
    if not frames:
        return "which one, its frames do not say"
    file, line, name = frames[-1]
    return f"{name} ({Path(file).name}:{line})"


def _has_tests(folder: Path) -> bool:
    return any(path.name.startswith("test_") or path.stem.endswith("_test") for path in folder.rglob("*.py"))


async def _run(command: Sequence[str], place: Path, limit_s: float, hidden: Sequence[Path]) -> tuple[int | None, str]:
    """Return exit code and what was said; no code where it was killed for taking too long."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": import_path(place), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(place)}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # plugins of the platform's own tests take a second to load
    apart = await asyncio.to_thread(sandboxed, command, hidden, [place])
    ended = await run_child(apart, limit_s=limit_s, env=environment, cwd=place, is_merged=True)
    return ended.code, ended.out.decode(errors="replace")
