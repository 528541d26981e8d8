"""A company that has just been made, and the commands that are run in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from isthmus.store import connect

RULES = '''
"""What a note says."""

from __future__ import annotations

from . import api


def worded(ask: api.PutNote) -> str:
    """Return the words of a note as they are kept."""
    text = ask.text.strip()
    if ask.subject.startswith("wine"):  # whoever buys wine is old enough
        text += " (18+)"
    if len(text) > 10:
        text = text.capitalize()
    return text
'''


class Fresh:
    """A company that has just been made, with a pack and three front ends."""

    def __init__(self, above: Path, url: str) -> None:
        self.folder = above / "acme"
        self.pack = self.folder / "acme" / "packs" / "till"
        self._above = above
        path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH", "")]))
        self._environment = {**os.environ, "ISTHMUS_DATABASE_URL": url, "PYTHONPATH": path}
        self.isthmus("new", "platform", "acme", at=above)
        self.isthmus("new", "pack", "till")
        for code in ("north", "south", "west"):
            self.isthmus("new", "front-end", code)
            self.edit(self.manifest(code), '"tax.*",', '"tax.*",\n        "till.*",')
        self.edit(self.folder / "isthmus.toml", "[server]", "[record]\nshare = 1.0\n\n[server]")

    def manifest(self, code: str) -> Path:
        return self.folder / "front_ends" / code / "front_end.py"

    def edit(self, path: Path, was: str, now: str) -> None:
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, now))

    def append(self, path: Path, text: str) -> None:
        path.write_text(path.read_text() + text)

    def begin(self, record: str, ago: timedelta = timedelta()) -> None:
        """Commit what there is, and record calls, as if that had been some time ago."""
        self.run("git", "init", "-q")
        self.run("git", "add", ".")
        then = f"GIT_COMMITTER_DATE={(datetime.now(UTC) - ago).isoformat()}"
        self.run("env", then, "git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "Begin")
        (self._above / "record.py").write_text(record)
        self.run(sys.executable, str(self._above / "record.py"))
        asyncio.run(self._aged(ago))

    async def _aged(self, ago: timedelta) -> None:
        connection = await connect(self._environment["ISTHMUS_DATABASE_URL"])
        await connection.execute("update runtime.recorded_call set recorded_at = recorded_at - $1::interval", ago)
        await connection.close()

    def tried(self, *command: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=at or self.folder, env=self._environment, capture_output=True, text=True, check=False
        )

    def run(self, *command: str, at: Path | None = None) -> str:
        done = self.tried(*command, at=at)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def isthmus(self, *arguments: str, at: Path | None = None) -> str:
        return self.run(sys.executable, "-m", "isthmus.cli", *arguments, at=at)

    def refused(self, *arguments: str) -> str:
        done = self.tried(sys.executable, "-m", "isthmus.cli", *arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def lines(self, branch: str) -> list[str]:
        """Return the lines that a branch adds and takes out, blank ones left out."""
        said = self.run("git", "show", "--format=", "--unified=0", branch).splitlines()
        return [one for one in said if one[:1] in "+-" and one[:3] not in ("+++", "---") and one[1:].strip()]
