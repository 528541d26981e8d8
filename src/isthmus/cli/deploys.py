"""The commands by which a front-end team ships: deploy, versions, promote, rollback; here or over HTTP."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from .opening import deploy_site, on
from .screen import JSON, Screen, as_json, say

if TYPE_CHECKING:
    from isthmus.runtime.deploy.context import DeployContext
    from isthmus.runtime.deploy.deploy import Deployed, DeployRequest
    from isthmus.runtime.deploy.report import Line
    from isthmus.runtime.deploy.rollout import Switched
    from isthmus.runtime.deploy.signatures import SigningKey


out = Screen(highlight=False, soft_wrap=True)

To = Annotated[str, typer.Option("--to", help="A running server's address; without it, the database of isthmus.toml.")]
Key = Annotated[str, typer.Option("--key", envvar="ISTHMUS_KEY", help="With --to: a key whose scopes have deploy.*")]
Code = Annotated[str, typer.Argument(help="Code of the front end.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--signing-key", envvar="ISTHMUS_SIGNING_KEY", help="File of your own key, to sign with."),
]


def add_to(main: typer.Typer) -> None:
    """Add the commands to the command line."""
    _add_deploy(main)
    _add_decisions(main)
    _add_approving(main)

    @main.command()
    def versions(
        code: Annotated[str | None, typer.Argument(help="Code of a front end; all without it.")] = None,
        to: To = "",
        key: Key = "",
        json: JSON = False,
    ) -> None:
        """List every version that was ever deployed, and say which runs."""
        from isthmus.runtime.deploy.remote import Remote
        from isthmus.runtime.deploy.report import report

        lines = Remote(to, key).versions() if to else on(deploy_site, lambda opened: report(opened, code))
        if json:
            as_json(lines)
        else:
            _show_versions(lines)


def _add_deploy(main: typer.Typer) -> None:
    @main.command("deploy")
    def deploy_folder(
        folder: Annotated[Path, typer.Argument(help="Folder of the front end.")],
        percent: Annotated[int, typer.Option(min=1, max=100, help="Stage it for so many of 100 members.")] = 100,
        accept: Annotated[bool, typer.Option("--accept", help="Differences in recorded calls are meant.")] = False,
        shadow: Annotated[
            int, typer.Option(min=0, max=100, help="Run it on so many of 100 live calls, and answer nobody with it.")
        ] = 0,
        to: To = "",
        key: Key = "",
        signing_key: KeyFile = None,
        by: Annotated[str, typer.Option(help="Who deploys, for the record.")] = "",
        only: Annotated[str | None, typer.Option(help="Refuse a folder that is another front end's.")] = None,
        json: Annotated[bool, typer.Option("--json", help="Say what came of it as JSON.")] = False,
    ) -> None:
        """Check, test, compare and put a front end in place, for all or a share of its members."""
        from isthmus.app.process import deploy_as_json
        from isthmus.runtime.deploy.deploy import DeployRequest
        from isthmus.runtime.deploy.remote import Remote

        own = _own_key(signing_key)
        request = DeployRequest(made_by=by or person(), percent=percent, is_accepted=accept, code=only, shadow=shadow)
        if json:
            said, is_done = deploy_as_json(
                lambda: on(deploy_site, lambda opened: _deploy(opened, folder, request, own))
            )
            print(said.decode())
            raise typer.Exit(0 if is_done else 2)
        done = (
            Remote(to, key, say).deploy(folder, request, own)
            if to
            else on(deploy_site, lambda opened: _deploy(opened, folder, request, own))
        )
        _show_deployed(done)


def _own_key(file: Path | None) -> SigningKey | None:
    if file is None:
        return None
    from isthmus.runtime.deploy.signatures import SigningKey

    return SigningKey(file, lambda: typer.prompt(f"Passphrase of {file}", hide_input=True, err=True))


async def _deploy(opened: DeployContext, folder: Path, request: DeployRequest, own: SigningKey | None) -> Deployed:
    from isthmus.runtime.deploy import signatures, versions
    from isthmus.runtime.deploy.deploy import deploy

    if own is not None:
        challenge, packed = await signatures.challenge(opened.database), versions.pack(folder)
        request = request.replace(signature=own.signed("deploy", challenge, packed.digest, **request.signed_over))
    return await deploy(opened, folder, request)


def _add_approving(main: typer.Typer) -> None:
    @main.command()
    def approve(
        code: Code,
        number: Annotated[int, typer.Argument(help="What waits, as `isthmus versions` numbers it.")],
        refuse: Annotated[bool, typer.Option("--refuse", help="Close it instead; this needs no signature.")] = False,
        signing_key: KeyFile = None,
        reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
        to: To = "",
        key: Key = "",
    ) -> None:
        """Approve a version that waits for a second person, signed with your own key, or refuse it."""
        from isthmus.kernel import errors
        from isthmus.runtime.deploy.remote import Remote

        if refuse:
            if to:
                Remote(to, key).refuse(number, reason)
            else:
                on(deploy_site, lambda opened: _refuse(opened, code, number, reason))
            out.print(f"[green]{code}[/green]: proposal {number} is refused; nothing has changed")
            return
        if (own := _own_key(signing_key)) is None:
            raise errors.BadAsk(
                "nobody has signed this", remedy="sign it with your own key: --signing-key FILE", path="signing-key"
            )
        done = (
            Remote(to, key).approve(number, reason, own)
            if to
            else on(deploy_site, lambda opened: _approve(opened, code, number, reason, own))
        )
        if done is None:
            out.print(f"[green]{code}[/green]: proposal {number} runs in the shadow; found: isthmus shadow {code}")
        else:
            _show_switched(done)


async def _approve(opened: DeployContext, code: str, number: int, reason: str, own: SigningKey) -> Switched | None:
    from isthmus.runtime.deploy import approve, proposals, signatures

    found, by = await proposals.find(opened.database, code, number), opened.doer(code, person())
    challenge = await signatures.challenge(opened.database)
    sent = own.signed("approve", challenge, found.digest, proposal=number, front_end=code)
    return await approve.approve_signed(opened, code, number, sent, by, reason)


async def _refuse(opened: DeployContext, code: str, number: int, reason: str) -> None:
    from isthmus.runtime.deploy import approve

    await approve.refuse(opened, code, number, opened.doer(code, person()), reason)


def _add_decisions(main: typer.Typer) -> None:
    @main.command()
    def promote(code: Code, to: To = "", key: Key = "") -> None:
        """Give the staged version of a front end to everybody."""
        from isthmus.runtime.deploy import rollout as switches
        from isthmus.runtime.deploy.remote import Remote

        done = (
            Remote(to, key).decide("promote")
            if to
            else on(deploy_site, lambda opened: switches.promote(opened.database, code, opened.doer(code, person())))
        )
        _show_switched(done)

    @main.command()
    def rollback(
        code: Code,
        version: Annotated[str, typer.Option(help="Go to this one, such as v3, instead of the one before.")] = "",
        reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
        to: To = "",
        key: Key = "",
    ) -> None:
        """Go back, at once: take back what is staged, or run the version that ran before."""
        from isthmus.runtime.deploy.remote import Remote

        async def back(opened: DeployContext) -> Switched | None:
            from isthmus.runtime.deploy import rollout as switches
            from isthmus.runtime.deploy import versions as kept
            from isthmus.runtime.deploy.vouching import check_may_run

            named = (await kept.chosen(opened.database, code, version)).hash if version else None
            if named is not None:
                await check_may_run(opened, code, named)
            return await switches.roll_back(opened.database, code, opened.doer(code, person()), to=named, reason=reason)

        done = Remote(to, key).decide("rollback", version=version, reason=reason) if to else on(deploy_site, back)
        if done is not None:
            _show_switched(done)


def person() -> str:
    """Return who is at the keyboard, for the record."""
    try:
        return os.environ.get("ISTHMUS_PERSON") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _show_deployed(done: Deployed) -> None:
    if done.outcome == "shadow":
        if done.differences:
            out.print(f"differences in recorded calls:\n{done.differences}", markup=False)
        share = f"{done.percent} % of live calls"
        out.print(f"[green]{done.front_end}[/green]: {done.version} runs on {share}, in the shadow")
        out.print(f"  found: isthmus shadow {done.front_end}; stop: isthmus shadow {done.front_end} --stop")
        return
    if done.differences:
        out.print(f"accepted differences:\n{done.differences}", markup=False)
    if done.outcome == "already-there":
        out.print(f"{done.front_end}: {done.version} is in place already; nothing was done")
        return
    if done.outcome == "proposed":
        who = f"it waits for another person than {done.signed_by} as number {done.proposal}"
        out.print(f"[green]{done.front_end}[/green]: {done.version} was checked and tested; {who}")
        out.print(f"  approve: isthmus approve {done.front_end} {done.proposal} --signing-key FILE, or on the console")
        return
    who = "everybody" if done.outcome == "live" else f"{done.percent} of 100 members"
    out.print(f"[green]{done.front_end}[/green]: {done.version} answers {who}{_in_workers(done.workers, done.took_ms)}")
    _show_behind(done.behind)
    back = f"isthmus rollback {done.front_end}"
    out.print(f"  back: {back}" if done.outcome == "live" else f"  all: isthmus promote {done.front_end}; back: {back}")


def _show_switched(done: Switched) -> None:
    from isthmus.runtime.deploy import versions as kept

    made = done.switch
    now = f"version {made.stable[: kept.SHORT]}" if made.stable else "what the servers' folder holds"
    out.print(f"[green]{made.front_end}[/green]: {made.kind} to {now}{_in_workers(done.workers, done.took_ms)}")
    _show_behind(done.behind)


def _in_workers(workers: int, took_ms: int) -> str:
    if not workers:
        return "; no server runs now, the next one starts with it"
    return f", in every worker ({workers}) after {took_ms} ms"


def _show_behind(behind: tuple[str, ...]) -> None:
    for worker in behind:
        out.print(f"  [red]not in worker {worker}[/red]")


def _show_versions(lines: tuple[Line, ...]) -> None:
    from isthmus.runtime.deploy import versions as kept

    table = Table("front end", "version", "runs", "deployed", "by", "files", "kB", title="isthmus versions")
    for line in lines:
        for one in line.versions:
            at = f"{one.made_at:%Y-%m-%d %H:%M}"
            runs = line.runs(one.hash)
            by = f"{one.signed_by}, key {one.signing_key}" if one.signing_key else one.made_by
            table.add_row(line.front_end, one.name, runs, at, by, str(one.files), f"{one.size / 1024:.1f}")
    if table.rows:
        out.print(table)
    for line in lines:
        out.print(line.sentence, markup=False)
        for one in line.waiting:
            what = f"{one.hash[: kept.SHORT]} of {one.author} waits as number {one.number}"
            out.print(f"  {what}: isthmus approve {line.front_end} {one.number} --signing-key FILE", markup=False)
        for trouble in line.troubles:
            out.print(f"  [red]{trouble}[/red]")
    if not lines:
        out.print("no front end is deployed, and the folder holds none")
