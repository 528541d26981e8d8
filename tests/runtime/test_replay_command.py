"""Recordings from another installation, made under an older contract, replayed by the commands as a person would."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

from isthmus.kernel import Caller
from isthmus.runtime.deploy import deploy as deploys
from isthmus.runtime.replay.record import Recorder, Recording
from isthmus.store import Database
from tests import forked

from .deployed import REQUEST, Node, deploy_context, write


async def isthmus(database_url: str, folder: Path, *words: str) -> tuple[int | None, str]:
    """Run a command, and return its exit code and what it printed."""
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": database_url, "COLUMNS": "200"}
    ended = await asyncio.to_thread(forked.run, words, folder, environment)
    return ended.returncode, ended.stdout + ended.stderr


async def test_calls_recorded_under_an_older_contract_are_counted_named_and_prove_nothing(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await deploys.deploy(deploy_context(database, tmp_path / "own"), write(tmp_path / "work", "first"), REQUEST)
    node = Node(database, tmp_path / "node")
    await node.follower.catch_up()
    recorder = Recorder(database, node.platform.release.points, Recording(share=1.0))
    node.platform.recorder = recorder
    for _ in range(3):
        await node.platform.call_wire("north.which", b"{}", Caller(front_end="north", client="shop"))
    await recorder.flush()
    file = tmp_path / "calls.jsonl"
    assert (await isthmus(database_url, tmp_path, "record", "export", str(file)))[0] == 0
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    older = [
        {**lines[0], "call_id": "a", "version": "0.9"},  # another major version
        {**lines[0], "call_id": "b", "ask": {"patience_ms": 5}},  # a field that was renamed
        {**lines[0], "call_id": "c", "capability": "north.lend"},  # a capability that has gone
    ]
    old_file = tmp_path / "older.jsonl"
    old_file.write_bytes(b"\n".join(map(msgspec.json.encode, older)))
    assert "3 recorded calls read" in (await isthmus(database_url, tmp_path, "record", "import", str(old_file)))[1]

    folder = str(write(tmp_path / "work", "first"))
    code, said = await isthmus(database_url, tmp_path, "replay", folder, "--capabilities")
    assert code == 0, said
    assert "north.which: 3 same, 2 recorded under another contract" in said
    assert "it was recorded in version 0.9, and is 1.0" in said
    assert "unknown field 'patience_ms'" in said
    assert "no capability is called 'north.lend'" in said
    code, said = await isthmus(
        database_url, tmp_path, "replay", str(write(tmp_path / "work", "second")), "--capabilities"
    )
    assert code == 1, said
    assert "north.which: 0 same, 3 differ, 2 recorded under another contract, 100.0%" in said
