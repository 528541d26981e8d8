"""Deploys: what runs of each front end, what a version would change, and putting one in place or back."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from isthmus.kernel import errors
from isthmus.kernel.host import CompiledFrontEnd
from isthmus.language import mark
from isthmus.manifest.actions import DEPLOY, READ_DEPLOYS
from isthmus.pages import BIGINT_MAX, ordered
from isthmus.runtime.deploy import approve as proposing
from isthmus.runtime.deploy import rollout as switches
from isthmus.runtime.deploy import rules, versions
from isthmus.runtime.deploy.changes import Change, compared
from isthmus.runtime.deploy.context import DeployContext
from isthmus.runtime.deploy.deploy import checked
from isthmus.runtime.deploy.report import Line as Deployed
from isthmus.runtime.deploy.report import report
from isthmus.runtime.deploy.rollout import Switched
from isthmus.runtime.deploy.versions import Version
from isthmus.runtime.deploy.vouching import check_may_run
from isthmus.runtime.replay.report import report as report_of
from isthmus.runtime.shadow import shadow as shadows
from isthmus.values import whole_number

from ..client import Client
from ..web import Page, form, page_of, redirect, render

PAGE_SIZE: Final = 25
ACTS: Final = ("promote", "rollback", "put", "approve", "refuse")
HISTORY_MAX: Final = 30
LINES_MAX: Final = 400  # of rewritten text: more is read in the team's own repository
COLUMNS: Final[Mapping[str, Callable[[Version], Any]]] = {
    "version": lambda one: one.number,
    "made": lambda one: one.made_at,
    "by": lambda one: one.made_by,
    "files": lambda one: one.files,
    "size": lambda one: one.size,
}
FILE_MAX: Final = 200_000  # bytes of a file that is compared line by line


class Deploys:
    """The pages of versions and deploys."""

    def __init__(self, context: DeployContext, client: Client) -> None:
        self._context = context
        self._client = client

    def pages(self) -> list[Page]:
        return [
            Page("/deploys", "Deploys", self.list, action=READ_DEPLOYS),
            Page("/deploys/{code}", "", self.show, action=READ_DEPLOYS),
            Page("/deploys/{code}", "", self.decide, ("POST",), action=DEPLOY),
            Page("/deploys/{code}/{hash}", "", self.candidate, action=READ_DEPLOYS),
        ]

    async def of(self, code: str) -> Deployed:
        """Return how one front end stands, and its versions."""
        (line,) = await report(self._context, code)
        return line

    async def list(self, request: Request) -> Response:
        lines = await report(self._context)
        names = {one.hash: one.name for line in lines for one in line.versions}
        return render(request, "deploys.html", lines=lines, names=names, **await self._history(request))

    async def show(self, request: Request) -> Response:
        return await self._shown(request)

    async def _shown(self, request: Request, refused: errors.IsthmusError | None = None) -> Response:
        code = request.path_params["code"]
        line = await self.of(code)
        if not line.versions and not line.is_in_folder:
            raise errors.NotFound(f"front end {code!r} was never here", remedy="deploy it: isthmus deploy FOLDER")
        shown, next_cursor = page_of(request, ordered(request, line.versions, COLUMNS), PAGE_SIZE)
        return render(
            request,
            "deploy.html",
            status=409 if refused else 200,
            code=code,
            line=line,
            versions=shown,
            next_cursor=next_cursor,
            names={one.hash: one.name for one in line.versions},
            rules=await rules.listed(self._context.database, code),
            refused=refused,
            done=request.query_params.get("done", ""),
            who=self._client.caller(code).person,
            **await self._history(request, code),
        )

    async def _history(self, request: Request, code: str | None = None) -> dict[str, Any]:
        """Return the part of the history that the address asks for, and where the next part begins."""
        before = whole_number(request.query_params.get("before"), 0, BIGINT_MAX)
        found = await switches.history(self._context.database, code, HISTORY_MAX + 1, before=before)
        shown = found[:HISTORY_MAX]
        return {"history": shown, "earlier": str(shown[-1].id) if len(found) > HISTORY_MAX else None}

    async def decide(self, request: Request) -> Response:
        """Put a version in place for all or for a share, promote the staged one, or go back."""
        code, fields = request.path_params["code"], await form(request)
        try:
            if fields.get("act") in ("approve", "refuse"):
                return redirect(request, f"/deploys/{code}", done=await self._judged(code, fields))
            async with switches.alone(self._context.database, code):
                done = await self._decided(code, fields)
        except errors.IsthmusError as refused:
            act = f"deploy.{fields['act']}" if fields.get("act") in ACTS else DEPLOY.name
            await self._client.doer(code).note_refused(self._context.database, act, refused.slug)
            return await self._shown(request, refused)
        return redirect(request, f"/deploys/{code}", done=_said(done) if done else mark("nothing has changed"))

    async def _judged(self, code: str, fields: Mapping[str, str]) -> str:
        """Approve or refuse what waits, as who is signed in; return what came of it."""
        number, by = whole_number(fields.get("number"), 1, BIGINT_MAX) or 0, self._client.doer(code)
        if fields.get("act") == "refuse":
            await proposing.refuse(self._context, code, number, by, fields.get("reason", ""))
            return mark("it was refused, and nothing has changed")
        done = await proposing.approve(self._context, code, number, by, fields.get("reason", ""))
        return _said(done) if done else mark("it runs in the shadow")

    async def _decided(self, code: str, fields: Mapping[str, str]) -> Switched | None:
        database, by = self._context.database, self._client.doer(code)
        match fields.get("act"):
            case "promote":
                return await switches.promote(database, code, by)
            case "rollback":
                return await switches.roll_back(database, code, by, reason=fields.get("reason", ""))
            case "put":
                percent = whole_number(fields.get("percent", "100"), 1, 100)
                if percent is None:
                    raise errors.BadAsk(
                        f"{fields['percent'][:100]!r} is no share",
                        remedy="choose 1 to 100 of 100 members",
                        path="percent",
                    )
                await check_may_run(self._context, code, fields.get("hash", ""))
                held = await switches.current(database, code)
                return await switches.put(
                    database,
                    code,
                    fields.get("hash", ""),
                    percent=percent,
                    by=by,
                    expected=held.id if held else None,
                    reason=fields.get("reason", ""),
                )
            case other:
                raise errors.BadAsk(f"{other!r} cannot be done", remedy="use a button of the page")

    async def candidate(self, request: Request) -> Response:
        """Show what a version would change: the answers that differ, and recorded calls answered by both."""
        code, hash_ = request.path_params["code"], request.path_params["hash"]
        version = await versions.chosen(self._context.database, code, hash_)
        held = await switches.current(self._context.database, code)
        shadow = (await shadows.declared(self._context.database, code)).get(code)
        refused: errors.Refusal | errors.BuildProblems | None = None
        changes: list[Change] = []
        written: list[str] = []
        found: Any = None
        try:
            new = await self._line(code, version.hash)
            old = await self._line(code, held.stable) if held and held.stable else self._context.release.lines.get(code)
            changes = compared(old, new)
            written = await asyncio.to_thread(self._rewritten, code, held.stable if held else None, version.hash)
            if old is not None and self._context.replay is not None and changes:
                release = self._context.release
                found = await self._context.replay(
                    self._context.database, release.replacing(old), release.replacing(new), code
                )
        except (errors.Refusal, errors.BuildProblems) as error:
            refused = error
        return render(
            request,
            "candidate.html",
            code=code,
            version=version,
            held=held,
            changes=changes,
            written=written[:LINES_MAX],
            is_cut=len(written) > LINES_MAX,
            found=found,
            refused=refused,
            shadow=shadow if shadow and shadow.hash == version.hash else None,
            shadowed=report_of("capabilities", [shadow.report]) if shadow and shadow.report else None,
            is_replayed=self._context.replay is not None,
        )

    def _rewritten(self, code: str, old: str | None, new: str) -> list[str]:
        """Return what was rewritten between two versions, as a unified diff of their files."""
        before, after = (self._files(code, hash_) if hash_ else {} for hash_ in (old, new))
        return [
            line
            for name in sorted(before.keys() | after.keys())
            if old and before.get(name) != after.get(name)
            for line in difflib.unified_diff(before.get(name, []), after.get(name, []), name, name, lineterm="")
        ]

    def _files(self, code: str, hash_: str) -> dict[str, list[str]]:
        """Return the lines of a version's files, as they were unpacked to be loaded."""
        parent = self._context.cache / f"{code}-{hash_[: versions.SHORT]}"
        return {
            path.relative_to(parent).as_posix(): path.read_text(errors="replace").splitlines()
            for path in parent.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.stat().st_size < FILE_MAX
        }

    async def _line(self, code: str, hash_: str) -> CompiledFrontEnd:
        front_end = await versions.load(self._context.database, code, hash_, self._context.cache, self._context.load)
        return await asyncio.to_thread(checked, self._context.release, front_end)


def _said(done: Switched) -> str:
    kind, workers = done.switch.kind, done.workers
    one, many = mark(f"{kind}: followed by 1 worker"), mark(f"{kind}: followed by {workers} workers")
    said = mark(f"{one if workers == 1 else many} in {done.took_ms} ms")
    return mark(f"{said}; not yet by {', '.join(done.behind)}") if done.behind else said
