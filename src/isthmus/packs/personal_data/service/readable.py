"""An export as a page that a person reads: by what it is kept for, each row with its names and values."""

from __future__ import annotations

import json
from html import escape
from itertools import groupby
from typing import Any, Final

from .. import api

STYLE: Final = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin:2rem 0 0}
dl{display:grid;grid-template-columns:12rem 1fr;gap:.2rem 1rem;border-top:1px solid #ccc;padding:.6rem 0}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}p{color:#555;margin:.2rem 0 .6rem}"""


def page_of(export: api.PersonExport) -> str:
    """Return a page that needs nothing else: it opens in any browser, and is printed."""
    made = f"{export.made_at:%Y-%m-%d %H:%M} UTC"
    title = "What we hold of you"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{made}. Found by {escape(', '.join(export.emails) or 'a membership')}.</p>"
        f"{parts_of(export)}</html>"
    )


def parts_of(export: api.PersonExport) -> str:
    """Return the parts of such a page, one for each place."""
    parts: list[str] = []
    for owner, places in groupby(export.held, key=lambda one: one.owner):
        for one in places:
            parts.append(f"<h2>{escape(one.where)}</h2><p>{escape(owner)}: {escape(one.why)}; {escape(one.until)}.</p>")
            parts += ["<dl>" + "".join(map(_field, row.items())) + "</dl>" for row in one.rows]
    return "\n".join(parts)


def _field(named: tuple[str, Any]) -> str:
    name, value = named
    if value in (None, "", [], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
