"""Where a front end's answers run: here under a watchdog, in a worker process, or in the team's own service."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from isthmus.kernel import FrontEnd, Pack, errors
from isthmus.kernel.host import Point

from ..deploy.loading import content_hash, load_front_end
from .limits import Isolation
from .manifest import AnswerManifest, restore
from .remote import Service, read_manifest
from .waiting import can_wait, waitable
from .watchdog import guarded
from .wire import wire_of
from .workers import Workers

_running: WeakValueDictionary[tuple[Path, str, Isolation], Workers] = WeakValueDictionary()


def points_of(packs: Iterable[Pack]) -> dict[str, Point]:
    """Return every extension point of these packs, by name."""
    return {point.name: point for pack in packs for point in pack.extension_points().values()}


def load_isolated(folder: Path, isolation: Isolation, points: Mapping[str, Point]) -> FrontEnd:
    """Load the front end of a folder as its settings say; nothing else of the platform needs to know how it answers.

    `process` and `http` never import the folder's code here. Worker processes end when nobody holds the front end
    any more. Raises NotAFrontEnd, CannotLoad, WrongManifest.
    """
    if isolation.mode == "process":
        return in_workers(folder, isolation, points)
    if isolation.mode == "http":
        service = Service(isolation.url, deadline_ms=isolation.deadline_ms)
        return restore(read_manifest(folder), points, service.asking)
    return guarded(load_front_end(folder), isolation.budget_ms)


def in_workers(folder: Path, isolation: Isolation, points: Mapping[str, Point]) -> FrontEnd:
    """Load a folder in worker processes and return a front end that asks them; the same content shares them."""
    key = (folder.absolute(), content_hash(folder), isolation)
    workers = _running.get(key)
    if workers is None:
        workers = Workers(
            folder.absolute(),
            deadline_ms=isolation.deadline_ms,
            memory_mb=isolation.memory_mb,
            hidden=isolation.hidden,
        )
        _running[key] = workers

    held = weakref.ref(workers)  # functions are remembered by their hash longer than the front end lives

    def asking(owner: str, place: int, manifest: AnswerManifest, point: Point) -> Callable[..., Any]:
        who, wire = f"{owner}.{manifest.name}", wire_of(point, is_total=manifest.is_total)
        code = manifest.code  # in the closure, so that the fingerprint of the release has it

        def ask(*args: Any, **kwargs: Any) -> Any:
            workers = held()
            if workers is None:
                raise errors.Fault(f"{who} is asked after its front end was let go", remedy="hold on to the release")
            arguments = (*args, *(kwargs[name] for name in point.parameters[len(args) :])) if kwargs else args
            return wire.read_answer(workers.ask(who, place, wire.pack(arguments)), f"{who} ({code[:8]})")

        async def ask_later(*args: Any, **kwargs: Any) -> Any:
            return ask(*args, **kwargs) if can_wait() else await waitable(run(*args, **kwargs))

        async def run(*args: Any, **kwargs: Any) -> Any:
            return ask(*args, **kwargs)

        return ask_later if point.is_async else ask

    return replace(restore(workers.manifest, points, asking), answering=workers)
