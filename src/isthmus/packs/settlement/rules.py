"""Settlement, decided: what is paid and carried, whether an account number can be, and the file that a bank reads."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from isthmus.values import Money

from . import api

PAIN = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
STATEMENT_COLUMNS = ("reference", "kind", "order", "line", "date", "gross", "commission", "amount", "currency")


@dataclass(frozen=True, slots=True)
class Paid:
    """What of a sum is paid, what the payout costs, and what is left to the next settlement."""

    payout: int
    fee: int
    carried: int


def paid(due: int, minimum: int, fee: int, reserve: int, *, is_leaving: bool) -> Paid:
    """Return what is paid of what is due: nothing below the minimum, and never less than the fee and a bit.

    The reserve is carried, whatever is paid; who leaves gets it too.
    """
    if is_leaving:
        minimum = reserve = 0
    left = due - fee - reserve
    if left < max(1, minimum):
        return Paid(payout=0, fee=0, carried=due)
    return Paid(payout=left, fee=fee, carried=reserve)


def iban(text: str) -> str | None:
    """Return an IBAN as banks write it to each other; None where its check digits are wrong (ISO 13616)."""
    found = "".join(text.split()).upper()
    if not found:
        return ""
    if not (15 <= len(found) <= 34 and found.isascii() and found.isalnum() and found[:2].isalpha()):
        return None
    digits = "".join(str(int(sign, 36)) for sign in found[4:] + found[:4])
    return found if int(digits) % 97 == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A bank account, and whose."""

    name: str
    iban: str
    bic: str


def payout_file(
    file_id: UUID, made_at: datetime, execute_on: date, payer: Account, payouts: Sequence[tuple[UUID, Account, Money]]
) -> str:
    """Return an order to a bank to pay: ISO 20022 pain.001.001.09, one transfer for each settlement.

    The message and each transfer carry ids of ours, so a file or a transfer that comes twice is known by them.
    """
    total = sum((amount for _, _, amount in payouts[1:]), start=payouts[0][2])
    root = ET.Element("Document", xmlns=PAIN)
    order = ET.SubElement(root, "CstmrCdtTrfInitn")
    head = ET.SubElement(order, "GrpHdr")
    _put(head, "MsgId", file_id.hex)
    _put(head, "CreDtTm", made_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    _put(head, "NbOfTxs", str(len(payouts)))
    _put(head, "CtrlSum", _number(total))
    _put(head, "InitgPty/Nm", payer.name)
    block = ET.SubElement(order, "PmtInf")
    _put(block, "PmtInfId", file_id.hex)
    _put(block, "PmtMtd", "TRF")
    _put(block, "NbOfTxs", str(len(payouts)))
    _put(block, "CtrlSum", _number(total))
    if total.currency == "EUR":
        _put(block, "PmtTpInf/SvcLvl/Cd", "SEPA")
    _put(block, "ReqdExctnDt/Dt", execute_on.isoformat())
    _put(block, "Dbtr/Nm", payer.name)
    _put(block, "DbtrAcct/Id/IBAN", payer.iban)
    _bank(ET.SubElement(block, "DbtrAgt"), payer.bic)
    _put(block, "ChrgBr", "SLEV")
    for settlement_id, payee, amount in payouts:
        one = ET.SubElement(block, "CdtTrfTxInf")
        _put(one, "PmtId/EndToEndId", settlement_id.hex)
        _put(one, "Amt/InstdAmt", _number(amount)).set("Ccy", amount.currency)
        if payee.bic:
            _bank(ET.SubElement(one, "CdtrAgt"), payee.bic)
        _put(one, "Cdtr/Nm", payee.name)
        _put(one, "CdtrAcct/Id/IBAN", payee.iban)
        _put(one, "RmtInf/Ustrd", f"Settlement {settlement_id}")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _put(parent: ET.Element, path: str, text: str) -> ET.Element:
    for name in path.split("/"):
        parent = ET.SubElement(parent, name)
    parent.text = text
    return parent


def _bank(agent: ET.Element, bic: str) -> None:
    place = ET.SubElement(agent, "FinInstnId")
    if bic:
        _put(place, "BICFI", bic)
    else:
        _put(place, "Othr/Id", "NOTPROVIDED")


def _number(amount: Money) -> str:
    return str(amount).split()[0]


def rows(items: Sequence[api.SettledItem]) -> list[tuple[str, ...]]:
    """Return the rows of a statement."""
    return [
        (
            one.reference,
            one.kind,
            one.subject,
            "" if one.line is None else str(one.line),
            one.happened_at.date().isoformat(),
            _number(one.gross),
            _number(one.commission),
            _number(one.amount),
            one.amount.currency,
        )
        for one in items
    ]


def sums(one: api.Settlement) -> list[tuple[str, Money]]:
    """Return what a statement ends with."""
    return [
        ("carried in", one.carried_in),
        ("due", one.credit),
        ("gone back", one.debit),
        ("fee", -one.fee),
        ("carried to the next", -one.carried_out),
        ("paid", one.payout),
    ]


def statement_csv(one: api.Settlement, items: Sequence[api.SettledItem]) -> str:
    """Return a statement as CSV: a row for each item, and one for each sum."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(STATEMENT_COLUMNS)
    writer.writerows([tuple(map(_plain, row)) for row in rows(items)])
    writer.writerows(
        [(name, "sum", *[""] * 2, one.cut_off, "", "", *str(amount).split()) for name, amount in sums(one)]
    )
    return text.getvalue()


def _plain(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; a negative number stays one."""
    return f"'{text}" if text[:1] in ("=", "+", "@") else text
