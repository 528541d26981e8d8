"""`isthmus translate`: keep the catalogue of what a pack's pages say in step with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .screen import JSON, as_json, out

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The pack's folder.")]
To = Annotated[str, typer.Option(help="The language.")]
LeaveOut = Annotated[str, typer.Option(help="Folders in it whose texts no page shows, with commas between.")]
SHOWN_MAX = 20  # of what is not translated; the file has all


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def translate(folder: Folder, to: To = "zh", leave_out: LeaveOut = "", json: JSON = False) -> None:
        """Write what the console shows of a pack into its catalogue, and say what is not translated yet."""
        from isthmus.kernel import errors
        from isthmus.language import LANGUAGES
        from isthmus.language.update import update

        locales = {one.code: one.locale for one in LANGUAGES[1:]}
        if to not in locales:
            raise errors.BadAsk(f"the console does not speak {to!r}", remedy=f"choose of {', '.join(locales)}")
        made = update(folder, locales[to], [name for name in leave_out.split(",") if name])
        if json:
            as_json({"file": str(made.file), "messages": made.messages, "untranslated": made.untranslated})
            return
        out.print(f"{made.messages} messages in {made.file}, {len(made.untranslated)} of them not translated")
        for message in made.untranslated[:SHOWN_MAX]:
            out.print(f"  {message}", markup=False)
