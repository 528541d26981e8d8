"""`isthmus new`: make a part of your own."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from .screen import out

Name = Annotated[str, typer.Argument(help="Lower-case letters and digits, a letter first.")]
Owner = Annotated[str, typer.Option(help="Team that owns it.")]
OWNER = "your-team"


class ProviderKind(enum.StrEnum):
    """What a provider is for: each kind has a contract of its own."""

    PAYMENT = "payment"
    SECRETS = "secrets"
    NOTIFICATION = "notification"
    TAX = "tax"
    SHIPPING = "shipping"
    MEDIA = "media"


Kind = Annotated[ProviderKind, typer.Option(help="What it is for.")]


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="Make a new part of your own.")

    @app.command("platform")
    def new_platform(name: Name) -> None:
        """Make a company's own platform: settings, folders for packs, products and front ends, a test, a CI file."""
        from . import scaffold

        made = scaffold.platform(Path.cwd(), name)
        _say(made.place, f"cd {made.place.name}", "isthmus new front-end shop", "pytest", "isthmus serve")

    @app.command("front-end")
    def new_front_end(name: Name, owner: Owner = OWNER) -> None:
        """Make a front end's folder with a manifest, one answer, a test and a README; it runs at once."""
        from isthmus.app.config import load_config

        from . import scaffold

        made = scaffold.front_end(load_config().front_ends, name, owner)
        key = f"isthmus client create {name}     # a key to call with, in another terminal"
        _say(made.place, f"pytest {made.place}", "isthmus serve", key)

    @app.command("pack")
    def new_pack(name: Name, owner: Owner = OWNER) -> None:
        """Make a pack: table, capabilities, extension point, event, metric, demo data, a guide, a test that passes."""
        from isthmus.app.config import load_config

        from . import scaffold

        made = scaffold.pack(load_config(), name, owner)
        uses = f"""add "{name}.*" to uses=(...) of a front end"""
        _say(made.place, f"pytest tests/test_{name}.py", "isthmus migrate --plan", uses)

    @app.command("product")
    def new_product(name: Name, owner: Owner = OWNER) -> None:
        """Make a product, answers that several front ends switch on, with a guide and a test that passes."""
        from isthmus.app.config import load_config

        from . import scaffold

        made = scaffold.product(load_config(), name, owner)
        switch = f"import {name.upper()} in a front end's manifest and list it in products=(...)"
        _say(made.place, f"pytest tests/test_{name}.py", switch)

    @app.command("provider")
    def new_provider(name: Name, kind: Kind = ProviderKind.PAYMENT, owner: Owner = OWNER) -> None:
        """Make a provider of a kind, with a guide and the tests that every provider of that kind has to pass."""
        from isthmus.app.config import load_config

        from . import scaffold

        made = scaffold.provider(load_config(), name, owner, kind)
        connect = "connect it in isthmus.toml, as the file's first lines say"
        _say(made.place, f"pytest tests/test_{name}.py", connect)

    return app


def _say(place: Path, *following: str) -> None:
    out.print(f"made [bold]{place}[/bold]; next:")
    for line in following:
        out.print(f"  {line}", markup=False, highlight=False)
