"""Values that filters compare with, read as the fields' types: nothing of them is rounded off or guessed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from isthmus.kernel import errors
from isthmus.markings import Operator, Scalar, Where

from ..model.model import Field
from .moments import read_moment

SQL_OPERATORS: Final[Mapping[Operator, str]] = {
    "=": "=", "!=": "is distinct from", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
    "in": "in", "not in": "not in", "is null": "is null", "is not null": "is not null",
}  # fmt: skip
BIGINT: Final = range(-(2**63), 2**63)
TEXT_SHOWN_MAX: Final = 80  # of a value that is refused
DIGITS_MAX: Final = 38  # of a number that an engine keeps exactly


def read_values(field: Field, one: Where, zone: ZoneInfo) -> list[Any]:
    """Return what a condition compares with, as its field's type; a `Day` where a day is named. Raises BadAsk."""
    if one.op not in SQL_OPERATORS:
        raise errors.BadAsk(
            f"{one.op!r} is no operator", remedy=f"use one of {', '.join(SQL_OPERATORS)}", path="$.where"
        )
    if one.op in ("is null", "is not null"):
        return []
    options = one.value if isinstance(one.value, tuple) else () if one.value is None else (one.value,)
    if one.op not in ("in", "not in") and (len(options) != 1 or isinstance(one.value, tuple)):
        raise errors.BadAsk(
            f"{one.field} {one.op} needs one value", remedy="give one, or use `in`, `is null`", path="$.where"
        )
    return [read_value(field, option, zone, one.field) for option in options]


def read_value(field: Field, value: Scalar, zone: ZoneInfo, name: str) -> object:
    """Return a value of a filter as its field's type, a `Day` where a day is named. Raises BadAsk where it is none."""
    try:
        read = _converted(field, value, zone)
    except (ValueError, InvalidOperation, OverflowError, KeyError):
        raise errors.BadAsk(
            f"{_short(value)!r} is no value of {name}, which is a {field.kind}",
            remedy="write times as 2026-01-31T08:00:00Z, days as 2026-01-31, and numbers with at most 38 digits",
            path="$.where",
        ) from None
    if field.values and read not in field.values:
        raise errors.BadAsk(
            f"{_short(value)!r} is no value of {name}{errors.near(_short(value), field.values)}",
            remedy=f"use one of {', '.join(field.values)}",
            path="$.where",
        )
    return read


def _converted(field: Field, value: Scalar, zone: ZoneInfo) -> object:
    match field.kind:
        case "integer" | "decimal":
            return _exact(value, is_whole=field.kind == "integer")
        case "number":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        case "date" | "timestamp":
            return read_moment(str(value), zone, is_date=field.kind == "date")
        case "uuid":
            return UUID(str(value))
        case "text" | "json":
            return str(value)


def _exact(value: Scalar, *, is_whole: bool) -> int | Decimal:
    """Return a number as it was written: nothing of it is rounded off. Raises ValueError beyond 38 digits."""
    read = Decimal(str(value))
    sign, digits, exponent = read.as_tuple()
    if not isinstance(exponent, int) or max(len(digits) + max(exponent, 0), -exponent) > DIGITS_MAX:
        raise ValueError(sign)
    return int(read) if is_whole and read == read.to_integral_value() else read


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= TEXT_SHOWN_MAX else text[:TEXT_SHOWN_MAX] + "…"
