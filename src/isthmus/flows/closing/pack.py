"""The manifest of closing."""

from typing import Final

from isthmus.kernel import Pack
from isthmus.language import mark
from isthmus.manifest import Commands, Page, Personal

from . import api, service

PAGES = "isthmus.flows.closing.pages"
SHOWN: Final = (mark("platform cost"),)  # kinds of entries, as pages show them

CLOSING = Pack(
    name="closing",
    owner="finance",
    api=api,
    service=(service,),
    brings=(
        Personal(because="it counts what is open, and names no person"),
        Commands(
            name="closing",
            help="The end of a month: what is to be done, closing, and reports.",
            at="isthmus.flows.closing.commands:commands",
            over="platform",
        ),
        Page(
            path="/closing",
            menu="Closing",
            group="Finance",
            at=f"{PAGES}:show",
            template="closing.html",
            needs=api.get_checklist,
        ),
        Page(
            path="/tax-return",
            menu="Tax return",
            group="Finance",
            at=f"{PAGES}:show_tax_return",
            template="tax_return.html",
            needs=api.tax_return,
        ),
        Page(path="/closing", at=f"{PAGES}:close", template="closing.html", needs=api.get_checklist, is_form=True),
    ),
)
