"""Files of providers and banks, read: each form into the same lines. All of a file is read, or it is refused."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from isthmus.outside import NotInstalled
from isthmus.values import decimals, money

from . import api


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, in minor units: what came is positive, what went negative; the fee was kept of it."""

    reference: str
    kind: str
    currency: str
    amount: int
    fee: int
    day: date


Columns = Mapping[str, str]  # ours → the provider's
_CSV: Final[Columns] = {one: one for one in ("reference", "kind", "date", "currency", "amount", "fee")}
# https://docs.stripe.com/reports/report-types/balance: "Itemized balance change from activity"
_STRIPE: Final[Columns] = {
    "reference": "payment_metadata[key]",
    "kind": "reporting_category",
    "date": "created_utc",
    "currency": "currency",
    "amount": "gross",
    "fee": "fee",
}


def read(form: api.Form, content: str) -> list[Line]:
    """Return the lines of a file. Raises UnreadableFile for what is not of its form."""
    try:
        return list(_READERS[form](content))
    except (ValueError, KeyError, InvalidOperation, ET.ParseError, AttributeError, TypeError) as error:
        raise api.UnreadableFile(reason=f"this is no file of the form {form}: {error}") from None


def _table(content: str, columns: Columns) -> Iterator[Line]:
    rows = csv.DictReader(io.StringIO(content.removeprefix("\ufeff")))
    if missing := sorted(set(columns.values()) - set(rows.fieldnames or ())):
        raise api.UnreadableFile(reason=f"the file has no column {', '.join(map(repr, missing))}")
    for number, row in enumerate(rows, start=2):
        try:
            currency = row[columns["currency"]].strip().upper()
            yield Line(
                reference=row[columns["reference"]].strip(),
                kind=row[columns["kind"]].strip(),
                currency=currency,
                amount=_minor(row[columns["amount"]], currency),
                fee=_minor(row[columns["fee"]] or "0", currency),
                day=date.fromisoformat(row[columns["date"]].strip()[:10]),
            )
        except (ValueError, InvalidOperation, AttributeError) as error:
            raise api.UnreadableFile(reason=f"line {number} cannot be read: {error}") from None


def _minor(text: str, currency: str) -> int:
    """Return an amount in minor units. Raises ValueError where it has more decimals than the currency."""
    found = Decimal(text.strip()).scaleb(decimals(currency))
    if found != found.to_integral_value():
        raise ValueError(f"{text} has more decimals than {currency}")
    return int(found)


def _camt(content: str) -> Iterator[Line]:
    """Read an ISO 20022 statement: each entry, or each of its transactions where it has several."""
    root = ET.fromstring(content)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    if not root.tag.endswith("}Document") or root.find(f"{space}BkToCstmrStmt") is None:
        raise ValueError("it has no BkToCstmrStmt")
    for entry in root.iter(f"{space}Ntry"):
        day = _text(entry, space, "ValDt/Dt") or _text(entry, space, "BookgDt/Dt")
        details = entry.findall(f"{space}NtryDtls/{space}TxDtls")
        several = details if len(details) > 1 else [entry]
        for one in several:
            amount = _node(one, space, "Amt")
            sign = -1 if (_text(one, space, "CdtDbtInd") or _text(entry, space, "CdtDbtInd")) == "DBIT" else 1
            currency = amount.attrib["Ccy"]
            found = one if one is not entry else (details[0] if details else entry)
            reference = _text(found, space, "Refs/EndToEndId") or _text(entry, space, "NtryRef")
            is_named = reference != "NOTPROVIDED"
            yield Line(
                reference=reference if is_named else "",
                kind="credit" if sign > 0 else "debit",
                currency=currency,
                amount=sign * _minor(amount.text or "", currency),
                fee=0,
                day=date.fromisoformat(day[:10]),
            )


def _node(parent: ET.Element, space: str, path: str) -> ET.Element:
    found = parent.find("/".join(f"{space}{name}" for name in path.split("/")))
    if found is None:
        raise ValueError(f"an entry has no {path}")
    return found


def _text(parent: ET.Element, space: str, path: str) -> str:
    return parent.findtext("/".join(f"{space}{name}" for name in path.split("/")), "").strip()


def _mt940(content: str) -> Iterator[Line]:
    try:
        from mt940 import parse  # pyright: ignore[reportMissingTypeStubs] - only who has such files needs it
    except ModuleNotFoundError as missing:
        raise NotInstalled(missing, extra="finance") from None

    if ":61:" not in content and ":60F:" not in content:
        raise ValueError("it has no statement")
    for one in parse(content):  # pyright: ignore[reportUnknownVariableType]
        data: dict[str, Any] = one.data  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if "amount" not in data:
            continue
        currency = str(data["amount"].currency)
        reference = str(data.get("customer_reference") or "")
        minor = _minor(str(data["amount"].amount), currency)
        yield Line(
            reference="" if reference == "NONREF" else reference,
            kind="credit" if minor > 0 else "debit",
            currency=currency,
            amount=minor,
            fee=0,
            day=data["date"],
        )


_READERS: Final[Mapping[str, Callable[[str], Iterator[Line]]]] = {
    "csv": lambda content: _table(content, _CSV),
    "stripe": lambda content: _table(content, _STRIPE),
    "camt.053": _camt,
    "mt940": _mt940,
}


def payouts(provider: str, lines: Sequence[Line]) -> list[api.PayoutReported]:
    """Return what a provider says that it paid out, each once; what comes to it again is no payout."""
    found: dict[str, api.PayoutReported] = {}
    for line in lines:
        if line.kind.casefold() == "payout" and line.amount < 0 and line.reference:
            amount = money(-line.amount, line.currency)
            one = api.PayoutReported(provider=provider, reference=line.reference, amount=amount, day=line.day)
            found.setdefault(line.reference, one)
    return list(found.values())


def is_booked(kind: api.DifferenceKind) -> bool:
    """Whether a difference of a kind is money that can be booked on one account."""
    return kind not in ("currency", "late")
