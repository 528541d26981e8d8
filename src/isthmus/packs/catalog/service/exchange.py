"""Products as CSV: read line by line, imported by the rules of every import, and reported line by line."""

from __future__ import annotations

import re

from isthmus.kernel import Context, errors, implements
from isthmus.values import cursor_at, place_at

from .. import api
from ..rules import csv_lines
from ..storage import products as storage
from . import products

REFUSED_MAX = 100  # products that are found wrong one by one: a file with more of them is of another kind
_AT = re.compile(r"^\$\.products\[(\d+)\]")


@implements(api.import_csv)
async def import_csv(ask: api.ImportCsv, ctx: Context) -> api.CsvReport:
    read = csv_lines.read(ask.csv)
    drafts = {code: one.draft for code, one in read.items() if one.draft is not None}
    reasons = {code: one.reason for code, one in read.items() if one.draft is None}
    outcomes = await _imported(drafts, reasons, ctx)
    lines: list[api.CsvLine] = []
    for code, one in read.items():
        outcome = outcomes.get(code, "refused")
        lines += [
            api.CsvLine(line=line, code=code, outcome=outcome, reason=reasons.get(code, "")) for line in one.lines
        ]
    counted = [outcomes.get(code, "refused") for code in read]
    return api.CsvReport(
        created=counted.count("created"),
        replaced=counted.count("replaced"),
        unchanged=counted.count("unchanged"),
        refused=counted.count("refused"),
        lines=tuple(sorted(lines, key=lambda one: one.line)),
    )


async def _imported(
    drafts: dict[str, api.ProductDraft], reasons: dict[str, str], ctx: Context
) -> dict[str, api.Outcome]:
    """Import what can be; what an import refuses is left out with its reason, and the rest is tried again."""
    before = await storage.current_versions(ctx.session, list(drafts))
    for _ in range(REFUSED_MAX + 1):
        if not drafts:
            return {}
        try:
            async with ctx.session.savepoint():
                await products.import_products.function(api.ImportProducts(products=tuple(drafts.values())), ctx)
            break
        except errors.Refusal as refused:
            at = _AT.match(refused.path or "")
            if at is None:
                raise
            code = list(drafts)[int(at[1])]
            reasons[code] = str(refused)
            del drafts[code]
    else:
        raise api.BadCsv(reason=f"more than {REFUSED_MAX} products of the CSV are refused")
    after = await storage.current_versions(ctx.session, list(drafts))
    return {code: _outcome(before.get(code), after[code]) for code in drafts}


def _outcome(before: int | None, after: int) -> api.Outcome:
    if before is None:
        return "created"
    return "unchanged" if before == after else "replaced"


@implements(api.export_csv)
async def export_csv(ask: api.ExportCsv, ctx: Context) -> api.CsvPage:
    after = place_at(ask.cursor, str, api.BadCursor) if ask.cursor is not None else ""
    found = await storage.drafts(ctx.session, after, ask.limit + 1)
    drafts = found[: ask.limit]
    more = cursor_at(drafts[-1].code) if len(found) > ask.limit else None
    return api.CsvPage(csv=csv_lines.written(drafts), products=len(drafts), next_cursor=more)
