"""Guides: what packs have to say to those who use them, as they wrote it."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from isthmus import language
from isthmus.kernel import errors
from isthmus.manifest import Guide

from ..client import Client
from ..web import Page, render

MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")  # HTML of a pack stays text


class Guides:
    """The list of guides, and each as a page."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def pages(self) -> list[Page]:
        is_any = any(True for _ in self._found())
        return [Page("/guides", "Guides" if is_any else "", self.list), Page("/guides/{name}", "", self.show)]

    async def list(self, request: Request) -> Response:
        return render(request, "guides.html", found=self._found())

    async def show(self, request: Request) -> Response:
        """Show a guide by its pack: `loyalty`, and `loyalty-2` for a pack's second."""
        name = request.path_params["name"]
        guide = next((guide for known, _, guide in self._found() if known == name), None)
        if guide is None:
            raise errors.NotFound(f"there is no guide {name!r}", remedy="choose one from the list of guides")

        def text() -> Markup:  # called while the page is written, in its reader's language
            return Markup(MARKDOWN.render(_body(guide.text(language.current().locale))))

        return render(request, "guide.html", title=guide.title, text=text)

    def _found(self) -> list[tuple[str, str, Guide]]:
        """Return every guide with its address and its pack's owner, in the order of the packs' names."""
        return [
            (f"{name}-{number}" if number > 1 else name, pack.owner, guide)
            for name, pack in sorted(self._client.release.packs.items())
            for number, guide in enumerate((one for one in pack.brings if isinstance(one, Guide)), start=1)
        ]


def _body(text: str) -> str:
    """Return a guide without its own heading: the page has the title above it."""
    first, _, rest = text.lstrip().partition("\n")
    return rest if first.startswith("# ") else text
