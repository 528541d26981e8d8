"""Matching, decided: what a provider or the bank will report."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.packs.payment import api as payment


def is_expected(moved: payment.PaymentMoved, _settings: Mapping[str, str]) -> bool:
    """Say whether a provider will report a payment's movement: not what is held, received in a till or kept here."""
    is_moved = moved.kind in ("capture", "refund") and bool(moved.amount.minor)
    return is_moved and bool(moved.key) and moved.provider not in ("", payment.CREDIT)
