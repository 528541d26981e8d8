"""The processes that servers start beside themselves: each has this entry point, and none goes by the command line.

    python -m isthmus.app.process land              bring what is new into the lake; says what it did as JSON
    python -m isthmus.app.process deploy FOLDER …   check, test, compare and put in place; says what came of it as JSON
    python -m isthmus.app.process shadow CODE       run what is in the shadow of a front end

Settings are read from the current folder, as every process reads them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.kernel import encode, errors
from isthmus.runtime.deploy import signatures
from isthmus.runtime.deploy.deploy import CONTRACT_BROKEN, Deployed, DeployRequest, deploy
from isthmus.runtime.deploy.report import as_deployed
from isthmus.runtime.shadow.run import run_shadow

from .config import load_config
from .platform import declared, deploy_context, running
from .resources import shadow_resources

if TYPE_CHECKING:
    from isthmus.data.lake.landing import Landing

FAILED = 2  # exit code: something was refused or is missing


def command(name: str) -> tuple[str, ...]:
    """Return what starts one of these processes; its arguments follow."""
    return (sys.executable, "-m", "isthmus.app.process", name)


def deploy_as_json(work: Callable[[], Deployed]) -> tuple[bytes, bool]:
    """Return what came of a deploy for a program, a refusal too; and whether it was carried out."""
    try:
        return encode(work()), True
    except errors.BuildProblems as wrong:
        facts = {"slug": CONTRACT_BROKEN, "detail": str(wrong), "remedy": "write the lines that it names"}
        return encode({**facts, "problems": list(wrong.problems)}), False
    except errors.IsthmusError as wrong:
        return encode({"slug": wrong.slug, "detail": wrong.message, "remedy": wrong.remedy}), False


def main(arguments: Sequence[str]) -> int:
    """Run one of the processes and return its exit code; a refusal becomes a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="isthmus.app.process", description=__doc__)
    processes = parser.add_subparsers(required=True)
    processes.add_parser("land").set_defaults(run=_land)
    deploying = processes.add_parser("deploy")
    deploying.set_defaults(run=_deploy)
    deploying.add_argument("folder", type=Path)
    deploying.add_argument("--by", required=True)
    deploying.add_argument("--only", required=True)
    deploying.add_argument("--percent", type=int, default=100)
    deploying.add_argument("--shadow", type=int, default=0)
    deploying.add_argument("--accept", action="store_true")
    deploying.add_argument("--signature", type=signatures.read)
    shadow = processes.add_parser("shadow")
    shadow.set_defaults(run=_shadow)
    shadow.add_argument("code")
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen)
    except (errors.IsthmusError, errors.BuildProblems) as wrong:
        print(wrong, file=sys.stderr)
        return FAILED


def _land(_: argparse.Namespace) -> int:
    from isthmus.data.platform import open_platform  # the extra `data`; the other processes do without

    from .lake_sync import landed

    async def land() -> Landing:
        async with running(load_config(), front_ends=[], is_beside=True) as platform:
            release, _ = await as_deployed(deploy_context(platform))
            config, own = platform.config, declared(release)
            lake = open_platform(platform.packs, config.data / "lake", declared=lambda: own, settings=config.lake)
            landing = await landed(lake, platform.database)
            lake.receipts.prune(datetime.now(UTC))
            return landing

    landing = asyncio.run(land())
    print(encode(landing).decode())
    return 1 if landing.alerts else 0


def _deploy(chosen: argparse.Namespace) -> int:
    request = DeployRequest(
        made_by=chosen.by,
        percent=chosen.percent,
        is_accepted=chosen.accept,
        code=chosen.only,
        shadow=chosen.shadow,
        via="http",
        signature=chosen.signature,
    )

    async def there() -> Deployed:
        async with running(load_config(), front_ends=[], is_beside=True) as platform:
            return await deploy(deploy_context(platform), chosen.folder, request)

    said, is_done = deploy_as_json(lambda: asyncio.run(there()))
    print(said.decode())
    return 0 if is_done else FAILED


def _shadow(chosen: argparse.Namespace) -> int:
    async def there() -> None:
        async with running(load_config(), front_ends=[], is_beside=True) as platform:
            await run_shadow(deploy_context(platform), chosen.code, shadow_resources(platform.platform))

    asyncio.run(there())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
