"""The Tea Box in the demo: a venture on Node beside the platform, which sells to made-up members in the demo's year.

Its members are made up; what it does is not. Each signs in by the group's sign-in and takes a box at its checkout, its
boxes are renewed, and what it owes the group is pulled, booked and checked as of any venture.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx
import uvicorn
from rich.console import Console
from rich.progress import Progress

from isthmus.app.config import Config
from isthmus.app.platform import Running, deploy_context
from isthmus.app.server import served
from isthmus.flows.ventures import api as ventures
from isthmus.gateway import auth
from isthmus.gateway.server import check_listening
from isthmus.gateway.wire.rate import Limit
from isthmus.kernel import Caller, errors
from isthmus.packs.account import rules as account
from isthmus.packs.account.service.accounts import accounts_of
from isthmus.packs.tax import api as tax
from isthmus.packs.venture import api as venture
from isthmus.runtime.children import with_parent
from isthmus.runtime.deploy.deploy import DeployRequest, deploy

from . import patience
from .load import CURRENCY

CODE: Final = "box"
NODE_MIN: Final = 20
INSTALLS_WITHIN_S: Final = 60
ANSWERS_WITHIN_S: Final = 120  # of a process that starts, and of a page, on a machine that does much else
CHECKS_MAX: Final = 3
STEP: Final = timedelta(days=7)
JOIN_MORE_EVERY: Final = 8  # weeks after which one more joins each week
PLANS: Final = ("discovery", "garden", "discovery", "season", "garden")
PROJECT: Final = "project"  # in the demo's data: settings and charter with the keys of this very box
TO: Final = {
    "street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "iban": "DE89 3704 0044 0532 0130 00",
}  # fmt: skip


def lacking(root: Path) -> str:
    """Return what is missing for the box to run; nothing where it can. Installs what it needs once."""
    place = root / "ventures" / CODE
    if not (place / "venture.toml").is_file():
        return "ventures/box is not here"
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return "Node is not installed"
    version = subprocess.run([node, "--version"], check=False, capture_output=True, text=True).stdout.strip()
    if int(re.sub(r"\D.*", "", version[1:]) or 0) < NODE_MIN:
        return f"Node {version} is older than {NODE_MIN}"
    if not (place / "node_modules").is_dir():
        command = [npm, "ci", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)
        except (subprocess.SubprocessError, OSError):
            return "its one dependency cannot be installed: npm ci --prefix ventures/box says why"
    return ""


@dataclass(slots=True, kw_only=True)
class Box:
    """The box of one demo: where it lies, what it is started with, and the process."""

    root: Path  # of the checkout
    data: Path  # of the demo
    port: int
    issuer: str = ""
    days_ahead: int = 0
    key: str = field(default_factory=lambda: secrets.token_hex(24))
    desk: str = field(default_factory=lambda: secrets.token_hex(24))
    borrows: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Path:
        return self.data / PROJECT / "isthmus.toml"

    def environment(self) -> dict[str, str]:
        own = {
            "BOX_PORT": str(self.port), "BOX_DATA": str(self.data / CODE), "BOX_ISSUER": self.issuer,
            "BOX_KEY": self.key, "BOX_DESK_KEY": self.desk, "BOX_CURRENCY": CURRENCY,
            "BOX_CLOCK_AHEAD_DAYS": str(self.days_ahead),
        }  # fmt: skip
        return {**os.environ, **own, **self.borrows}

    def public_key(self) -> str:
        """Return the public half of what it signs with, which its charter names."""
        command = ["node", "src/main.mjs", "key"]
        place = self.root / "ventures" / CODE
        return subprocess.check_output(command, cwd=place, env=self.environment(), text=True).strip()

    async def start(self) -> None:
        check_listening("127.0.0.1", range(self.port, self.port + 1))  # another box there would answer for it
        command = with_parent([str(shutil.which("node")), "src/main.mjs"])
        place = self.root / "ventures" / CODE
        self.process = subprocess.Popen(command, cwd=place, env=self.environment(), stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - at once
        async with asyncio.timeout(ANSWERS_WITHIN_S), httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(f"{self.url}/health")
                    return
                except httpx.TransportError:
                    if self.process.poll() is not None:
                        raise errors.Fault(
                            f"the box has ended with {self.process.returncode}", remedy="see what it says above"
                        ) from None
                    await asyncio.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    async def at_desk(self, path: str, **said: Any) -> None:
        async with httpx.AsyncClient(timeout=ANSWERS_WITHIN_S) as client:
            headers = {"authorization": f"Bearer {self.desk}"}
            answer = await client.post(f"{self.url}/desk/{path}", json=said, headers=headers)
        if answer.is_client_error:  # it would say so again
            raise errors.Fault(
                f"the box refuses {path} with {answer.status_code}: {answer.text[:200]}",
                remedy=f"see that nothing else listens on port {self.port}",
            )
        answer.raise_for_status()


def write_project(box: Box, issuer: str, begins: date) -> None:
    """Write settings with a sign-in for the box, and its charter with its key; everything else is the checkout's."""
    project = box.settings.parent
    charter = project / "ventures" / CODE / "venture.toml"
    charter.parent.mkdir(parents=True, exist_ok=True)
    for one in box.root.iterdir():
        if not one.name.startswith(".") and one.name not in ("ventures", box.settings.name):
            (project / one.name).unlink(missing_ok=True)
            (project / one.name).symlink_to(one)
    own = (box.root / box.settings.name).read_text(encoding="utf-8")
    box.settings.write_text(
        f'{own}\n[settings.account]\nissuer = "{issuer}"\n\n[settings.account.clients.{CODE}]\nfront_end = "{CODE}"\n'
        f'redirects = ["{box.url}/callback"]\nname = "The Tea Box"\n',
        encoding="utf-8",
    )
    text = (box.root / "ventures" / CODE / "venture.toml").read_text(encoding="utf-8")
    ends = datetime.now(UTC).date() + timedelta(days=365)
    says = {"url": f'"{box.url}"', "key": f'"{box.public_key()}"', "starts": begins, "ends": ends, "by": ends}
    for name, value in says.items():
        text = re.sub(rf"^{name} = \S+", f"{name} = {value}", text, flags=re.MULTILINE)
    charter.write_text(text, encoding="utf-8")
    joining = (box.root / "ventures" / CODE / "joining.toml").read_text(encoding="utf-8")
    charter.with_name("joining.toml").write_text(joining.replace('"EUR"', f'"{CURRENCY}"'), encoding="utf-8")


def prepared(
    config: Config, port: int, screen: Console, known: dict[str, Any] | None
) -> tuple[Box | None, Config, socket.socket | None]:
    """Return the box, the settings to sell it with, and where its platform listens meanwhile.

    None where it cannot run, with the reason on the screen. known: what came of an earlier run, which is kept.
    """
    if why := _why_not(config, known):
        screen.print(f"The Tea Box, a venture on Node, does not sell here: {why}", highlight=False)
        return None, config, None
    listening = socket.create_server(("127.0.0.1", 0))
    box = Box(root=config.root, data=config.data, port=port)
    box.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}/account"
    client = {"front_end": CODE, "redirects": [f"{box.url}/callback"], "name": "The Tea Box"}
    settings = {**config.settings, "account": {"issuer": box.issuer, "clients": {CODE: client}}}
    os.environ["BOX_KEY"] = box.key  # with it the platform reads what the box owes
    return box, replace(config, root=box.settings.parent, settings=settings), listening


def _why_not(config: Config, known: dict[str, Any] | None) -> str:
    if known is not None and CODE not in known:
        return "it did not when this data was made"
    if "account" in config.settings:
        return "the settings have a sign-in of their own"
    if config.database_url:
        return "it sells into the demo's own database alone, which is made anew with it"
    return lacking(config.root)


def settle(box: Box, host: str, port: int, found: dict[str, Any]) -> None:
    """Write settings for the address at which the platform is served from now on; the clock stays where it was."""
    here = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    box.issuer, box.days_ahead = f"http://{here}:{port}/account", found["days_ahead"]
    write_project(box, box.issuer, date.fromisoformat(found["begins"]))


async def sold(
    running: Running, box: Box, listening: socket.socket, days: tuple[date, date], progress: Progress
) -> dict[str, Any]:
    """Have the box sell within the demo's year; return what came of it, and what of its four obligations is met."""
    first, last = days
    write_project(box, box.issuer, first)
    seat = Path(__file__).parent / "seats" / CODE
    await deploy(deploy_context(running), seat, DeployRequest(made_by="demo"))
    await running.follower.catch_up()
    await _lend_tax(running, box, listening)
    begins = first + (last - first) / 6  # as long as it took to build
    weeks = [begins + at * STEP for at in range((last - begins) // STEP + 1)]
    task = progress.add_task(f"weeks of the venture {CODE}", total=len(weeks))
    async with _served(running, listening):
        try:
            for at, day in enumerate(weeks):
                await _week(running, box, at, day)
                progress.advance(task)
            await _call(running, ventures.pull, ventures.Pull())
            checked = await _checked(running)
        finally:
            box.stop()
    standing = await _call(running, venture.get_standing, venture.GetStanding())
    return {
        "orders": standing.sales,
        "members": standing.members,
        "sales_minor": sum((one.net + one.tax).minor for one in standing.sums),
        "booked_minor": sum(one.booked.minor for one in standing.sums),
        "net_minor": sum(one.net.minor for one in standing.sums),
        "obligations": {one.obligation: one.said if one.is_met else f"NOT MET: {one.said}" for one in checked.items},
        "is_met": checked.is_met,
        "days_ahead": box.days_ahead,
        "begins": first.isoformat(),
    }


async def _week(running: Running, box: Box, at: int, day: date) -> None:
    """Let one week pass at the box: what is due is sent, and some more people join."""
    box.days_ahead = (day - datetime.now(UTC).date()).days
    box.stop()
    await box.start()
    await patience.again(lambda: box.at_desk("renewals"), httpx.HTTPError)
    for number in range(1 + at // JOIN_MORE_EVERY):
        await patience.again(lambda who=f"{at}-{number}": _join(running, box, who), httpx.HTTPError)


async def _checked(running: Running) -> ventures.Checked:
    """Check what the box owes; again where something did not come in time, as on a machine that is busy."""
    for _ in range(CHECKS_MAX):
        checked = await _call(running, ventures.check, ventures.Check())
        if checked.is_met:
            break
    return checked


async def _join(running: Running, box: Box, who: str) -> None:
    """Have somebody sign in and take a box."""
    plan = PLANS[sum(map(int, who.split("-"))) % len(PLANS)]
    async with httpx.AsyncClient(follow_redirects=True, timeout=ANSWERS_WITHIN_S) as browser:
        await _sign_in(running, box, browser, f"tea-{who}@example.org")
        to = {**TO, "name": f"Tea Drinker {who}", "plan": plan}
        (await browser.post(f"{box.url}/checkout", data=to)).raise_for_status()


async def _sign_in(running: Running, box: Box, browser: httpx.AsyncClient, address: str) -> None:
    """Sign somebody in as they do: by the link that is sent to an address."""
    page = await browser.get(f"{box.url}/sign-in")
    (await browser.post(page.url, data={"address": address})).raise_for_status()
    newest = "select link_id from account.link where address = $1 order by made_at desc limit 1"
    async with running.database.platform() as session:
        link_id = await session.fetch_value(newest, address)
    link = account.link_text(link_id, accounts_of(running).key.derived("links"))
    (await browser.post(f"{box.issuer}/link", data={"link": link})).raise_for_status()


async def _lend_tax(running: Running, box: Box, listening: socket.socket) -> None:
    """Give the box the one capability that its charter names, with a key and limits of its own."""
    place = tax.Jurisdiction(code="DE", prices_include_tax=True)
    await _call(running, tax.put_jurisdictions, tax.PutJurisdictions(jurisdictions=(place,)))
    since = datetime(2016, 1, 1, tzinfo=UTC)
    rate = tax.RateEntry(jurisdiction="DE", name="vat", rate_ppm=70_000, valid_from=since, tax_category="food")
    await _call(running, tax.put_rates, tax.PutRates(rates=(rate,)))
    await lend(running, box, listening.getsockname()[1])


async def lend(running: Running, box: Box, port: int) -> None:
    """Make a key with which the box borrows at a port, as its charter says."""
    borrows = running.resource(venture.Charters).of(CODE).borrows
    limit = Limit(per_second=borrows.per_second, at_once=borrows.at_once)
    key = await auth.create_client(running.database, CODE, "borrows", borrows.capabilities, limit=limit)
    box.borrows = {"BOX_PLATFORM": f"http://127.0.0.1:{port}", "BOX_PLATFORM_KEY": key}


async def _call(running: Running, capability: Any, ask: Any) -> Any:
    return await patience.call(running.platform, capability, ask, Caller(front_end=CODE, client="demo", via="cli"))


@asynccontextmanager
async def _served(running: Running, listening: socket.socket) -> AsyncIterator[None]:
    """Serve the platform while the box sells: people sign in there."""
    server = uvicorn.Server(uvicorn.Config(cast(Any, served(running)), log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@contextmanager
def beside(box: Box | None, screen: Console) -> Iterator[None]:
    """Keep the box running beside the platform, with its clock where its year ended."""
    if box is None:
        yield
        return
    asyncio.run(box.start())
    screen.print(f"Venture box   {box.url}/, and for `isthmus venture check {CODE}`:")
    named = f"export ISTHMUS_CONFIG={box.settings} ISTHMUS_DATA={box.data} BOX_KEY={box.key}"
    screen.print(f"  {named}", soft_wrap=True, highlight=False, markup=False)
    try:
        yield
    finally:
        box.stop()


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def shown(found: dict[str, Any], amount: str) -> Sequence[str]:
    """Return what came of the box, in lines."""
    met = sum(not said.startswith("NOT MET") for said in found["obligations"].values())
    lines = [
        f"the venture box sold {_counted(found['orders'], 'box', 'boxes')} to "
        f"{_counted(found['members'], 'made-up member', 'made-up members')} for {amount}; "
        f"{met} of 4 obligations are met"
    ]
    return [*lines, *(f"  {name}: {said}" for name, said in found["obligations"].items() if said.startswith("NOT"))]
