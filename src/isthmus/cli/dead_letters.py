"""The commands for what front ends do on their own: dead letters are listed, shown and sent again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .opening import on, session
from .screen import JSON, Screen, as_json

out = Screen(soft_wrap=True, highlight=False)

Number = Annotated[int, typer.Argument(help="Number of the dead letter, as the list has it.")]
Code = Annotated[str | None, typer.Option("--front-end", help="Only of this front end.")]


def commands() -> typer.Typer:
    """Return the commands."""
    app = typer.Typer(no_args_is_help=True, help="Events that a front end failed on too often.")

    @app.command("list")
    def list_(front_end: Code = None, json: JSON = False) -> None:
        """List what failed too often, the oldest first."""
        from isthmus.runtime.events import dead_letters

        letters = on(session, lambda opened: dead_letters.listed(opened, front_end))
        if json:
            as_json(letters)
            return
        if not letters:
            out.print("there are no dead letters")
            return
        table = Table("number", "front end", "capability", "event", "subject", "tries", "last error")
        for one in letters:
            table.add_row(
                str(one.id), one.front_end, one.capability, one.event_type, one.subject, str(one.attempts),
                escape(one.last_error),
            )  # fmt: skip
        out.print(table)
        out.print("next: fix the front end, then `isthmus dead-letters send-again NUMBER`")

    @app.command()
    def show(number: Number, json: JSON = False) -> None:
        """Show one with its event and what went wrong."""
        import msgspec

        from isthmus.runtime.events import dead_letters

        one = on(session, lambda opened: dead_letters.found(opened, number))
        if json:
            as_json(one)
            return
        out.print(f"{one.capability} of {one.front_end} failed {one.attempts} times: {one.last_error}", markup=False)
        out.print(f"event {one.event_id} ({one.event_type}) of {one.subject}, {one.made_at:%Y-%m-%d %H:%M:%S} UTC")
        out.print(msgspec.json.format(one.ask), markup=False)

    @app.command("send-again")
    def send_again(
        number: Annotated[int | None, typer.Argument(help="Number of one; without it, all.")] = None,
        front_end: Code = None,
    ) -> None:
        """Deliver again, under the same keys: what had its effect has none again."""
        from isthmus.runtime.events import dead_letters

        count = on(session, lambda opened: dead_letters.send_again(opened, front_end, number))
        out.print(f"{count} dead letter(s) will be delivered again by the running servers")

    return app
