"""Products and lines of a CSV: one is read as the other, without a database."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from isthmus.kernel import decode, encode, errors

from .. import api

OF_PRODUCT: Final = ("title", "category", "description", "brand", "seller", "tax_category")
OF_SKU: Final = ("sku", "unit", "weight_grams")
REQUIRED: Final = ("code", "title", "category", "sku")
COLUMNS: Final = ("code", *OF_PRODUCT, "is_returnable", "pictures", *OF_SKU)
_WORDS: Final = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


@dataclass(slots=True)
class Read:
    """A product of a CSV, the lines that it stands on, and what is wrong with it."""

    lines: list[int] = field(default_factory=list[int])
    rows: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])
    draft: api.ProductDraft | None = None
    reason: str = ""


def read(text: str) -> dict[str, Read]:
    """Return the products of a CSV by code, in its order. Raises BadCsv for what is no CSV of products."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: dict[str, Read] = {}
    try:
        _check_header(reader.fieldnames or ())
        for row in reader:
            one = found.setdefault((row.get("code") or "").strip(), Read())
            one.lines.append(reader.line_num)
            one.rows.append({name: value or "" for name, value in row.items() if isinstance(name, str)})
            if None in row:
                one.reason = one.reason or f"line {reader.line_num} has more columns than the header"
    except csv.Error as wrong:
        raise api.BadCsv(reason=f"line {reader.line_num} cannot be read: {wrong}") from None
    if len(found) > api.BULK_MAX:
        raise api.BadCsv(reason=f"it has {len(found)} products, and an import has at most {api.BULK_MAX}")
    for code, one in found.items():
        if not one.reason:
            _draw(code, one)
    return found


def _check_header(names: Sequence[str]) -> None:
    if missing := [name for name in REQUIRED if name not in names]:
        raise api.BadCsv(reason=f"its header has no {', '.join(missing)}")
    unknown = [one for one in names if one not in COLUMNS and not one.startswith(("product.", "sku."))]
    if unknown:
        raise api.BadCsv(reason=f"its header has {unknown[0]!r}{errors.near(unknown[0], COLUMNS)}")


def _draw(code: str, one: Read) -> None:
    """Make a product of its lines, or say why it is none."""
    first = one.rows[0]
    for line, row in zip(one.lines, one.rows, strict=True):
        said = next((name for name in first if _is_of_product(name) and row[name] != first[name]), "")
        if said:
            one.reason = f"line {line} says another {said} of the product than line {one.lines[0]}"
            return
    try:
        drafted = {name: first.get(name, "") for name in OF_PRODUCT} | {
            "code": code,
            "is_returnable": _flag(first.get("is_returnable", "")),
            "attributes": _attributes(first, "product."),
            "pictures": _pictures(first.get("pictures", "")),
            "variants": [_variant(row) for row in one.rows],
        }
        one.draft = decode(encode(drafted), api.ProductDraft)
    except (errors.Refusal, ValueError) as wrong:
        one.reason = str(wrong)[:240]


def _is_of_product(name: str) -> bool:
    return name in OF_PRODUCT or name in ("is_returnable", "pictures") or name.startswith("product.")


def _flag(word: str) -> bool:
    if word.strip().lower() not in _WORDS:
        raise ValueError(f"is_returnable is {word!r}, and not yes or no")
    return _WORDS[word.strip().lower()]


def _pictures(said: str) -> list[dict[str, str]]:
    """Return a picture for each line of a cell: its address, a space, and what it shows."""
    lines = [line.strip().partition(" ") for line in said.splitlines() if line.strip()]
    return [{"address": address, "alt": alt.strip()} for address, _, alt in lines]


def _variant(row: Mapping[str, str]) -> dict[str, Any]:
    weight = row.get("weight_grams", "").strip() or "0"
    if not (weight.isascii() and weight.isdigit()):
        raise ValueError(f"weight_grams is {weight!r}, and not a whole number")
    return {
        "sku": row["sku"].strip(),
        "unit": row.get("unit", "").strip() or "piece",
        "weight_grams": int(weight),
        "attributes": _attributes(row, "sku."),
    }


def _attributes(row: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value}


def written(drafts: Sequence[api.ProductDraft]) -> str:
    """Return products as CSV, a line for each SKU, with a column for each attribute that any of them has."""
    own = sorted({f"product.{name}" for one in drafts for name in one.attributes})
    own += sorted({f"sku.{name}" for one in drafts for variant in one.variants for name in variant.attributes})
    out = io.StringIO()
    writer = csv.DictWriter(out, [*COLUMNS, *own], restval="", lineterminator="\r\n")
    writer.writeheader()
    for one in drafts:
        facts: dict[str, object] = {name: getattr(one, name) for name in ("code", *OF_PRODUCT)}
        facts |= {"is_returnable": "yes" if one.is_returnable else "no"}
        facts |= {"pictures": "\n".join(f"{each.address} {each.alt}".strip() for each in one.pictures)}
        facts |= {f"product.{name}": value for name, value in one.attributes.items()}
        for variant in one.variants:
            said = {name: getattr(variant, name) for name in OF_SKU}
            writer.writerow(facts | said | {f"sku.{name}": value for name, value in variant.attributes.items()})
    return out.getvalue()
