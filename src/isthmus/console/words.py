"""How values read on a page: amounts, times, durations, counts; each with its unit, as the reader writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from babel import dates, numbers
from markupsafe import Markup, escape

from isthmus.language import ENGLISH, current, gettext, translated
from isthmus.language.extract import is_example
from isthmus.values import decimals

STATES: Final = {
    "good": {
        "paid",
        "shipped",
        "completed",
        "refunded",
        "active",
        "received",
        "confirmed",
        "live",
        "holds",
        "captured",
    },
    "warm": {"due", "placed", "part-shipped", "requested", "approved", "held", "staged", "authorised", "pending"},
    "bad": {"cancelled", "expired", "rejected", "erased", "failed", "broken", "rolled-back"},
}


def amount(value: Mapping[str, Any] | None) -> str:
    """Write money as people do: $31.40, US$31.40; the currency's code where its readers know no sign for it."""
    if value is None:
        return "—"
    currency, minor = str(value["currency"]), int(value["minor"])
    places = Decimal(abs(minor)).scaleb(-decimals(currency))
    return ("−" if minor < 0 else "") + numbers.format_currency(places, currency, locale=current().rules)


def number(value: float | Decimal | None) -> str:
    """Write a number with thousands; two decimals where it has a fraction."""
    if value is None:
        return "—"
    return numbers.format_decimal(value, "#,##0" if isinstance(value, int) else "#,##0.00", locale=current().rules)


def duration(us: float) -> str:
    """Write microseconds in the unit that fits."""
    if us < 1_000:
        return f"{us:.0f} µs"
    return f"{us / 1_000:.3g} ms" if us < 1_000_000 else f"{us / 1_000_000:.3g} s"


def percent(share: float) -> str:
    """Write a share of one in percent."""
    if share < 0:
        return f"−{percent(-share)}" if share <= -0.001 else "0.0 %"
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "< 0.1 %"


def size(count: int | None) -> str:
    """Write bytes in the unit that fits; units of 1,000."""
    if count is None:
        return "—"
    places = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))
    unit, name = next((one for one in places if count >= one[0]), (1, "B"))
    return f"{count / unit:.3g} {name}"


def when(value: str | datetime | None) -> Markup:
    """Write a time, in UTC, so that every reader sees the same, and machines too."""
    if value is None or value == "":
        return Markup("—")
    at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    written = dates.format_datetime(at, gettext("d MMM y, HH:mm:ss"), locale=current().rules)
    return Markup('<time datetime="{}">{} UTC</time>').format(at.isoformat(), written)


def day(value: str | date) -> Markup:
    """Write a day, or the day of a time in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = moment.astimezone(UTC) if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)
    written = dates.format_datetime(at, gettext("d MMM y"), locale=current().rules)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), written)


def written_value(value: object) -> object:
    """Write what rows are grouped by: times and days as the reader writes them, all else as it is."""
    if value is None:
        return "—"
    if isinstance(value, datetime):
        return when(value)
    return day(value) if isinstance(value, date) else value


def state(value: str) -> Markup:
    """Write a state with a dot whose colour goes with it; the word says it too."""
    colour = next((name for name, found in STATES.items() if value in found), "")
    return Markup('<span class="state {}">{}</span>').format(colour, translated(value.replace("-", " ")))


def pretty(value: object) -> str:
    """Write any value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=repr), indent=2).decode()


def glance(value: object) -> str:
    """Write any value on one line: what it is at a glance."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        inner = [f"{name} {_brief(one)}" for name, one in fields.items() if one not in (None, "", [], {})]
        return _cut(", ".join(inner)) or gettext("nothing")
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        if not items:
            return gettext("none")
        return f"{len(items)} × {_cut(glance(items[0]), 80)}" if len(items) != 1 else glance(items[0])
    return _cut(_brief(value))


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if set(fields) == {"currency", "minor"}:
            return amount(fields)
        return gettext("(%(count)s fields)") % {"count": len(fields)}
    if isinstance(value, list | tuple):
        return f"({len(cast('Sequence[object]', value))})"
    if value is None or isinstance(value, bool):
        return gettext("nothing") if value is None else gettext("yes") if value else gettext("no")
    return str(value)


def _cut(text: str, most: int = 140) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def short(value: str | UUID) -> str:
    """Write the end of an id: the part by which ids of one minute differ."""
    return f"…{str(value)[-8:]}"


def first(text: str) -> str:
    """Return the first sentence or line of a documentation."""
    return text.strip().splitlines()[0] if text.strip() else ""


def inline(text: str) -> Markup:
    """Write a sentence; names in backticks as code."""
    pieces = str(escape(text)).split("`")
    return Markup("".join(f"<code>{one}</code>" if at % 2 else one for at, one in enumerate(pieces)))


def capitalised(text: str) -> str:
    """Write a sentence with its first letter as sentences have it."""
    return text[:1].upper() + text[1:]


def documented(text: str) -> str:
    """Write a documentation on one line."""
    return " ".join(translated(" ".join(part.split())) for part in text.strip().split("\n\n"))


def refusal(text: str) -> str:
    """Write an error as traces keep it: `slug: what happened at $.path; what to do`."""
    if current() is ENGLISH:
        return text
    slug, _, said = text.partition(": ")
    what, _, remedy = said.rpartition("; ")
    what, at, path = what.partition(" at $")
    place = f" (${path})" if at else ""
    return f"{slug}: {translated(what)}{place}; {translated(remedy)}" if what else translated(text)


def prose(text: str) -> Markup:
    """Write a documentation as paragraphs; indented parts as they are, names in backticks as code."""
    parts: list[Markup] = []
    for part in text.strip().split("\n\n"):
        is_code = is_example(part)
        tag, written = ("pre", part) if is_code else ("p", translated(" ".join(part.split())))
        parts.append(Markup(f"<{tag}>") + inline(written) + Markup(f"</{tag}>"))
    return Markup("").join(parts)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "amount": amount,
    "number": number,
    "duration": duration,
    "percent": percent,
    "size": size,
    "when": when,
    "day": day,
    "written": written_value,
    "state": state,
    "pretty": pretty,
    "glance": glance,
    "short": short,
    "first_line": first,
    "inline": inline,
    "translated": translated,
    "documented": documented,
    "refusal": refusal,
    "capitalised": capitalised,
    "prose": prose,
}
