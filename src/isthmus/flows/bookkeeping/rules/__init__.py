"""What is booked, decided: amounts of what was delivered or came back, and the accounts that they move."""

from .parts import (
    Worth,
    commission_of,
    delivered,
    delivery_line,
    discount_of,
    never_came,
    owed_anyway,
    sold_line,
    taxed_at,
    total_of,
    whole,
)
from .postings import POINTS_TAKEN, code, due, postings, wrong_with
from .samples import samples

__all__ = [
    "POINTS_TAKEN",
    "Worth",
    "code",
    "commission_of",
    "delivered",
    "delivery_line",
    "discount_of",
    "due",
    "never_came",
    "owed_anyway",
    "postings",
    "samples",
    "sold_line",
    "taxed_at",
    "total_of",
    "whole",
    "wrong_with",
]
