"""A process of its own that runs recorded calls by the code that it finds, and writes what each said: half of a proof.

    python -m isthmus.cli.rerun OUT LIMIT [FILE:LINE]

With a place, it also writes the types and values of the local variables there, into OUT.seen. ISTHMUS_RERUN_AS=OLD=NEW:
a capability has another name in this code; what was recorded of it is run by that, and written under the old one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from pathlib import Path

import msgspec

from isthmus.app.config import load_config
from isthmus.app.packs import plugged
from isthmus.app.platform import running
from isthmus.governance.thin.change.proof import Said
from isthmus.governance.thin.change.seen import Looking
from isthmus.kernel import FrontEnd, Platform, errors
from isthmus.kernel.host import CompiledFrontEnd
from isthmus.runtime.replay import recorded
from isthmus.runtime.replay.answers import Raised
from isthmus.runtime.replay.capabilities import run_again
from isthmus.runtime.replay.differences import plain

from .changing import RENAMED


async def rerun(out: Path, limit: int, looking: Looking) -> None:
    """Run recorded calls of every front end of the folder."""
    from isthmus.app.front_ends import load_front_ends

    was, _, name = os.environ.get(RENAMED, "").partition("=")
    config = load_config()
    found = load_front_ends(config, plugged(config))
    front_ends = [_without_unasked(one) for one in found]
    async with running(config, front_ends=front_ends) as at:
        platform = Platform(at.platform.release, at.database, resources=at.platform.resources)
        with out.open("wb") as file:
            for code in platform.release.lines:
                async for call in recorded.recent(at.database, code, limit=limit):
                    asked = call.replace(capability=name) if call.capability == was and was else call
                    try:
                        with looking.at(code):
                            said, trace = await run_again(at.database, platform, asked)
                    except errors.Refusal:  # in steps, or of another version than today's
                        continue
                    events = [(name, plain(event)) for name, event in trace.events]
                    line = Said(
                        front_end=code,
                        capability=call.capability,
                        call_id=call.call_id,
                        said=plain(said),
                        events=events,
                        parts=[
                            (was if part.capability == name else part.capability, plain(part.ask), plain(part.answer))
                            for part in trace.parts
                        ],
                        is_refused=isinstance(said, Raised),
                    )
                    file.write(_of_any_version(msgspec.json.encode(line), platform.release.line(code)) + b"\n")


def _of_any_version(said: bytes, line: CompiledFrontEnd) -> bytes:
    """Return what was said without the name of the version: orders keep it, and any change changes it."""
    return said.replace(f'"{line.fingerprint}"'.encode(), b'"its version"')


def _without_unasked(front_end: FrontEnd) -> FrontEnd:
    """Leave out the answers that wait for a question."""
    return dataclasses.replace(front_end, answers=tuple(one for one in front_end.answers if not one.at))


def main(arguments: list[str]) -> None:
    """Run, and write what was seen."""
    out, limit, *places = arguments
    looking = Looking.of(places[0]) if places else Looking()
    asyncio.run(rerun(Path(out), int(limit), looking))
    if places:
        Path(f"{out}.seen").write_bytes(msgspec.json.encode(looking.seen()))


if __name__ == "__main__":
    main(sys.argv[1:])
