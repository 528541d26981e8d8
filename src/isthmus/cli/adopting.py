"""The command that makes a pack of an existing HTTP service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from .screen import JSON, as_json, first, out, stop


def add_to(main: typer.Typer) -> None:
    """Add the command to the command line."""

    @main.command()
    def adopt(
        document: Annotated[
            Path, typer.Argument(help="OpenAPI 3 document of a service, or a folder of `isthmus eject`.")
        ],
        name: Annotated[str, typer.Option(help="What its pack is to be called; else the document's title.")] = "",
        url: Annotated[str, typer.Option(help="Where the service is; else the document's first server.")] = "",
        secret: Annotated[str, typer.Option(help="Environment variable with its credential.")] = "",
        json: JSON = False,
    ) -> None:
        """Make a pack of an existing HTTP service: each operation of its document becomes a capability.

        A folder that `isthmus eject` wrote goes into the place of the pack that it was: its contract, and what front
        ends answer, stay. Take [ejected.PACK] out of isthmus.toml to have the pack back.
        """
        import msgspec

        if document.is_dir():
            _in_place(document, url, secret)
            return

        from isthmus.app.config import FILE, load_config
        from isthmus.app.packs import plugged
        from isthmus.app.platform import adopted_packs, build
        from isthmus.runtime.adopt.adopt import adopted_pack, adoption_of, left_out, read_document

        config = load_config()
        adoption = adoption_of(document, name=name, url=url, secret=secret)
        name, pack = adoption.name, adopted_pack(adoption)
        if name in config.adopted:
            stop(f"{name!r} is adopted already; change [adopted.{name}] in isthmus.toml")
        build([*plugged(config), *adopted_packs(config), pack], [])
        kept = config.root / "adopted" / f"{name}.json"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(msgspec.json.format(msgspec.json.encode(read_document(document))) + b"\n")
        lines = ["", f"[adopted.{name}]", f'document = "adopted/{name}.json"', f'url = "{adoption.url}"']
        lines += [f'secret = "{secret}"'] if secret else []
        with (config.root / FILE).open("a") as settings:
            settings.write("\n".join(lines) + "\n")
        made = sorted(pack.capabilities().values(), key=lambda one: one.name)
        missing = left_out(read_document(document))
        if json:
            said = [{"name": one.name, "effect": one.effect, "gives": first(one.doc)} for one in made]
            as_json({"pack": name, "capabilities": said, "left_out": missing, "document": f"adopted/{name}.json"})
            return
        table = Table("capability", "effect", "what it gives", title=f"adopted {name}")
        for found in made:
            table.add_row(found.name, found.effect.value, first(found.doc))
        out.print(table)
        for one in missing:
            out.print(f"left out: {one}, which is neither JSON nor a form", markup=False)
        out.print(f"kept {kept.relative_to(config.root)} and added [adopted.{name}] to {FILE}", markup=False)
        out.print(
            f"who is erased here is not erased there until [adopted.{name}] says how: forgets = {{ … }}",
            markup=False,
        )
        out.print(
            f"next: add '{name}.*' to uses=(...) of a front end, then call it as any other capability", markup=False
        )


def _in_place(folder: Path, url: str, secret: str) -> None:
    """Put a service into the place of the pack that it was."""
    from dataclasses import replace

    from isthmus.app.config import FILE, load_config
    from isthmus.app.platform import composed
    from isthmus.governance import copies
    from isthmus.governance.exits.package import FILE as EJECTED

    config = load_config()
    found = copies.provenance(folder, EJECTED)
    name = next(iter(found.capabilities)).partition(".")[0]
    if not (url and secret):
        stop(f"say where {name} runs, and the environment variable with its token: --url and --secret")
    if name in config.ejected:
        stop(f"{name!r} is a service already; change [ejected.{name}] in {FILE}")
    composed(replace(config, ejected={**config.ejected, name: {"url": url, "secret": secret}}))
    with (config.root / FILE).open("a") as settings:
        settings.write(f'\n[ejected.{name}]\nurl = "{url}"\nsecret = "{secret}"\n')
    out.print(f"{name} is answered by {url} from the next start on; its rows and metrics are there", markup=False)
    out.print(
        f"to have the pack back, take [ejected.{name}] out of {FILE}; rows written meanwhile stay there", markup=False
    )
