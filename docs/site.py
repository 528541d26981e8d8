"""The site's pages: blocks as its Markdown knows them, and two languages, each page with a switch to its translation.

MkDocs calls this (`hooks` in mkdocs.yml). A page of docs/zh translates the page of the same path in docs; where
there is none, the switch leads to the language's first page.
"""

from __future__ import annotations

import re
from typing import Any, Final

ENGLISH, CHINESE = ("English", "en", "index.md"), ("简体中文", "zh", "zh/README.md")
FIRST: Final = {ENGLISH[2]: CHINESE[2], CHINESE[2]: ENGLISH[2]}  # the first pages have different names

FENCE: Final = re.compile(
    r"^(\s*```\w+) \w+$", re.M
)  # ```sh run: the second word is for the test that walks the guides


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return a page with what its blocks are written in, and no more: the site's Markdown takes no other word there."""
    return FENCE.sub(r"\1", markdown)


def on_page_context(context: dict[str, Any], page: Any, config: Any, nav: Any) -> dict[str, Any]:
    """Set the language of a page, and where its switch of languages leads."""
    here = page.file.src_uri
    there = {one.file.src_uri: one.url for one in nav.pages}
    is_chinese = here.startswith("zh/")
    config.theme["language"] = (CHINESE if is_chinese else ENGLISH)[1]
    config.extra["alternate"] = [
        {"name": name, "lang": lang, "link": there.get(_twin(here, lang)) or there[first]}
        for name, lang, first in (ENGLISH, CHINESE)
    ]
    return context


def _twin(here: str, lang: str) -> str:
    """Return the path of a page's translation: its own where it is in the language already."""
    if here.startswith("zh/") == (lang == "zh"):
        return here
    return FIRST.get(here) or (f"zh/{here}" if lang == "zh" else here.removeprefix("zh/"))
