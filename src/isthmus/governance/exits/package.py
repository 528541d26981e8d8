"""Write a pack as a package that stands alone: code, contract, rows, recorded calls, a test of them, where it is from.

pricing-service/
  pyproject.toml  README.md  LICENSE  ejected.toml     what it needs, how to run it, where it is from
  contract.json                                        what callers rely on
  calls.jsonl                                          what it was asked, what front ends said, what it said
  data/                                                its rows
  tests/test_calls.py                                  each of those calls again, on those rows
  pricing_service/                                     the code that the pack reaches, under its own name
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from isthmus.governance import contracts, copies
from isthmus.kernel import Pack, encode, errors
from isthmus.kernel.host import Release

from .calls import Answered
from .given import own_resources
from .held import Hold, first_of, flows_of, holds, joins
from .reach import SERVICE, copied, place_of, reached

FILE: Final = "ejected.toml"
DATA: Final = "data"
CALLS: Final = "calls.jsonl"

_MAIN: Final = '''"""{name} as a service: `python -m {package} load data`, then `python -m {package} serve`."""

from __future__ import annotations

from pathlib import Path

{imports}

PACK = Pack(
    name="{name}",
    owner="{owner}",
    api=api,
    service=({service},),
    migrations="{migrations}",
    brings=({resources}),
)

if __name__ == "__main__":
    main(PACK, Path(__file__).parent)
'''
_PROJECT: Final = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{project}"
version = "{version}"
description = "{doc}"
readme = "README.md"
requires-python = ">=3.11"
dependencies = [
{needs}]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""
_TEST: Final = '''"""Each recorded call again, on the rows that came along: it says what it said."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from {package}.__main__ import PACK
from {package}.isthmus.governance.exits.again import differing

ROOT = Path(__file__).parents[1]


def test_recorded_calls_are_answered_as_they_were() -> None:
    url = os.environ.get("SERVICE_DATABASE_URL")
    if not url:
        pytest.skip("SERVICE_DATABASE_URL is not set: a database that `load` has filled")
    settings = os.environ.get("SERVICE_SETTINGS", "")
    assert asyncio.run(differing(PACK, url, ROOT / "calls.jsonl", settings)) == []
'''
_README: Final = """# {project}

The pack `{name}` as a service that stands alone. {doc}

```sh
pip install .
export SERVICE_DATABASE_URL=postgresql://…   # an empty database: load makes the tables, and loads data/
export SERVICE_TOKEN=…                       # what callers send
python -m {package} load data
python -m {package} serve --port 9100
curl -H "Authorization: Bearer $SERVICE_TOKEN" -d '{{"front_end": "{front_end}", "ask": {{…}}}}' \\
    http://127.0.0.1:9100/v1/{capability}
```

`contract.json` has what each capability takes and says. `tests/` sends the {calls} calls of `calls.jsonl` again.

{place} Front ends' answers stay there: where the service needs one it answers with the question, and the call
comes again with the answer. Who calls it alone has the default of each extension point.

{settings}A write is done once for each `key`, or `call_id` where there is none. Its events come with the answer;
sending them is the caller's.
"""
_PLACE: Final = """A platform that it left takes it in the pack's place with

    isthmus adopt {project} --url http://127.0.0.1:9100 --secret SERVICE_TOKEN

"""
_SETTINGS: Final = """What it has from outside is made of the settings in the file that `SERVICE_SETTINGS` names. It
keeps files in the folder `SERVICE_DATA`: copy into it what the platform has of it in its own, such as keys. Without any
of it, these are there:

```toml
{settings}
```

"""
_NO_PLACE: Final = (
    """Who begins anew with it needs no more. The platform that it is from cannot have it in the pack's place: {why}."""
)


class CannotEject(errors.Conflict):
    """The pack holds on to its platform."""

    slug = "exits.cannot-eject"

    def __init__(self, pack: str, reasons: Sequence[Hold]) -> None:
        super().__init__(
            f"{pack} cannot stand alone: {first_of(reasons)}",
            remedy=reasons[0].next,
            reasons=[one.why for one in reasons],
        )


def package_of(pack: str) -> str:
    """Return what the package of a pack is called."""
    return f"{pack.replace('-', '_')}_service"


def write(
    pack: Pack, release: Release, root: Path, folder: Path, calls: Sequence[Answered], version: str, today: date
) -> copies.Provenance:
    """Write the package into a new folder; rows are put into its `data`. Raises CannotEject and AlreadyTaken."""
    if reasons := holds(pack):
        raise CannotEject(pack.name, reasons)
    if folder.exists():
        raise copies.AlreadyTaken(f"{folder} is there already", remedy="move it away, or name another with --to")
    package, project = package_of(pack.name), f"{pack.name}-service"
    found = reached(pack)
    files = {f"{package}/{name}": content for name, content in copied(found, package).items()}
    files[f"{package}/__init__.py"] = f'"""{pack.name}, standing alone."""\n'.encode()
    files[f"{package}/__main__.py"] = _main(pack, package).encode()
    files["contract.json"] = contracts.written(contracts.by_pack(contracts.contracts_of(release))[pack.name])
    files[CALLS] = b"".join(encode(one) + b"\n" for one in calls)
    files["tests/test_calls.py"] = _TEST.format(package=package).encode()
    doc = pack.doc.split("\n")[0].replace('"', "'")
    needs = "".join(f'    "{name}>={known}",\n' for name, known in found.needs.items())
    files["pyproject.toml"] = _PROJECT.format(
        project=project, package=package, version=version, doc=doc, needs=needs
    ).encode()
    joined = joins(pack, flows_of(release.packs.values(), (line.front_end for line in release.lines.values())))
    place = _NO_PLACE.format(why=first_of(joined)) if joined else _PLACE.format(project=project)
    files["README.md"] = _README.format(
        place=place,
        settings=_said_of_settings(pack),
        project=project,
        package=package,
        name=pack.name,
        doc=doc,
        calls=len(calls),
        front_end=next(iter(release.lines), "north"),
        capability=min(one.name for one in pack.capabilities().values()),
    ).encode()
    provenance = copies.Provenance(
        source=pack.api.__name__.rpartition(".")[0],
        package=package,
        on=today,
        commit=copies.commit_of(root),
        platform=version,
        licence=copies.licence_of(root, licence := _licence(root)),
        digest=copies.digest_of(files),
        calls=len(calls),
        capabilities={one.name: one.version for one in pack.capabilities().values()},
    )
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / DATA).mkdir()
    if licence is not None:
        shutil.copy(licence, folder / licence.name)
    copies.note(folder, provenance, FILE)
    return provenance


def _said_of_settings(pack: Pack) -> str:
    """Return what the README says of settings; nothing where there are none."""
    own = own_resources(pack)
    lines = [f"# {name} = …" for one in own for name in one.settings.__struct_fields__]
    written = ["[settings]", *lines] if lines else []
    for one in own:
        for name, place in one.built_in.items():
            written += [f"[providers.{name}]  # of {one.providers}", f'use = "{package_of(pack.name)}.{place}"']
    return _SETTINGS.format(settings="\n".join(written)) if written else ""


def _licence(root: Path) -> Path | None:
    return next((path for name in copies.LICENCES if (path := root / name).is_file()), None)


def _main(pack: Pack, package: str) -> str:
    modules = [one.__name__ for one in pack.service]
    names = [f"service_{place}" for place in range(len(modules))]
    resources, made = _resources(pack, package)
    imports = [
        f"from {package}.isthmus.kernel import Pack",
        *([f"from {package}.isthmus.manifest import Resource"] if resources else []),
        f"from {package}.{SERVICE} import main",
        f"from {package}.{pack.api.__name__.rpartition('.')[0]} import api",
        *(
            f"from {package}.{module.rpartition('.')[0]} import {module.rpartition('.')[2]} as {name}"
            for module, name in zip(modules, names, strict=True)
        ),
        *made,
    ]
    return _MAIN.format(
        name=pack.name,
        owner=pack.owner,
        package=package,
        imports="\n".join(imports),
        service=", ".join(names),
        migrations=f"{package}.{pack.migrations}" if pack.migrations else "",
        resources="".join(f"{one}, " for one in resources).rstrip(),
    )


def _resources(pack: Pack, package: str) -> tuple[list[str], list[str]]:
    """Return how the pack's own resources are written down, and the imports of what makes them."""
    found: list[str] = []
    imports: list[str] = []

    def named(what: Any) -> str:
        module, _, name = place_of(what).partition(":")
        imports.append(f"from {package}.{module} import {name} as given_{len(imports)}")
        return f"given_{len(imports) - 1}"

    for one in own_resources(pack):
        built_in = {name: f"{package}.{place}" for name, place in one.built_in.items()}
        shadow = f", in_shadow={named(one.in_shadow)}" if one.in_shadow is not None else ""
        found.append(
            f"Resource(kind={named(one.kind)}, make={named(one.make)}, settings={named(one.settings)}, "
            f"providers={one.providers!r}, built_in={built_in!r}{shadow}, stands_alone=True)"
        )
    return found, imports
