"""What front ends cost as rows of FOCUS 1.0, the FinOps Foundation's format of a bill: one for each
capability of each and each part.

The price of the month is divided as the page of costs does it; the rows add up to it exactly. What is the platform's
own (overhead, idle, storage that all share) is in rows of the sub-account `platform`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from isthmus.governance.cost.bill import METHODS, Charge, Part
from isthmus.governance.cost.inputs import Price
from isthmus.governance.cost.report import Costs
from isthmus.kernel import errors
from isthmus.values import decimals

PLACES: Final = Decimal("0.000000001")  # a call may cost less than a millionth of a cent
PLATFORM: Final = "platform"
UNITS: Final[Mapping[Part, str]] = {"storage": "Bytes", "shared": "Bytes"}  # of others it is seconds
MONTH: Final = timedelta(days=30)
COLUMNS: Final = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountStatus",
    "CommitmentDiscountType", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName",
    "ResourceType", "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
    "x_calls", "x_capability", "x_front_end", "x_method", "x_part",
)  # fmt: skip
AGAIN: Final = {  # focus-validator's rules for 1.0 ask for these columns by the names that its preview had
    "ChargeType": "ChargeCategory",
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
}


_SAY: Final = 'write `month = "1200 EUR"` under [cost] in isthmus.toml'


class NoPrice(errors.RuleBroken):
    """Nobody has said what the platform costs."""

    slug = "console.no-price"


def rows(costs: Costs, price: Price, until: datetime) -> Iterator[dict[str, str]]:
    """Return a row for each charge of the month until now, the dearest first."""
    total = Decimal(price.minor).scaleb(-decimals(price.currency))
    left = total
    ordered = sorted(
        costs.bill.charges, key=lambda one: (-one.share, one.front_end, one.capability, one.pack, one.part)
    )
    for place, charge in enumerate(ordered, 1):
        is_last = place == len(ordered)
        cost = left if is_last else (total * Decimal(charge.share)).quantize(PLACES)
        left -= cost
        use = costs.uses.get((charge.front_end, charge.capability))
        row = {**_row(charge, cost, use.calls if use else 0), **_period(until), "BillingCurrency": price.currency}
        yield row | {name: row[said] for name, said in AGAIN.items()}


def _row(charge: Charge, cost: Decimal, calls: int) -> dict[str, str]:
    account, resource = charge.front_end or PLATFORM, charge.capability or charge.pack or charge.part
    quantity = Decimal(charge.quantity).quantize(PLACES)
    price = (cost / quantity).quantize(PLACES) if quantity else Decimal()
    return {
        **dict.fromkeys(COLUMNS, ""),
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), _text(cost)),
        **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), _text(price)),
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), _text(quantity)),
        **dict.fromkeys(("ConsumedUnit", "PricingUnit"), UNITS.get(charge.part, "Seconds")),
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), "Platform"),
        "BillingAccountId": PLATFORM,
        "BillingAccountName": "Platform",
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{charge.part} of {resource} for {account}",
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        "ResourceId": resource,
        "ResourceName": resource,
        "ResourceType": "Capability" if charge.capability else "Capacity",
        "ServiceCategory": "Business Applications",
        "ServiceName": charge.service or PLATFORM,
        "SkuId": charge.part,
        "SkuPriceId": charge.part,
        "SubAccountId": account,
        "SubAccountName": account,
        "Tags": "{}",
        "x_calls": str(calls),
        "x_capability": charge.capability,
        "x_front_end": account,
        "x_method": METHODS[charge.part],
        "x_part": charge.part,
    }


def write(file: Path, costs: Costs, until: datetime) -> int:
    """Write the rows as CSV, and return how many. Raises NoPrice."""
    price = costs.inputs.month
    if price is None:
        raise NoPrice("nothing says what a month of the platform costs", remedy=_SAY)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, (*COLUMNS, *AGAIN))
        writer.writeheader()
        found = list(rows(costs, price, until))
        writer.writerows(found)
    return len(found)


def allocation(costs: Costs, billed: str, until: datetime) -> dict[str, Any]:
    """Return the ask by which the books have front ends bear the month: one row for each pack that each of them used.

    billed: the front end that pays the bill; the platform's own stays with it. Raises NoPrice.
    """
    price = costs.inputs.month
    if price is None:
        raise NoPrice("nothing says what a month of the platform costs", remedy=_SAY)
    sums: dict[tuple[str, str], Decimal] = {}
    for charge in costs.bill.charges:
        key = (charge.front_end or billed, charge.service or PLATFORM)
        sums[key] = sums.get(key, Decimal()) + Decimal(charge.share).quantize(PLACES)
    rows = [
        {"sub_account_id": code, "service_name": service, "effective_cost": _text(share)}
        for (code, service), share in sorted(sums.items())
        if share
    ]
    since = until - MONTH
    return {
        "reference": f"platform {since:%Y-%m-%d} to {until:%Y-%m-%d}",
        "billed": {"currency": price.currency, "minor": price.minor},
        "since": f"{since:%Y-%m-%d}",
        "until": f"{until:%Y-%m-%d}",
        "rows": rows,
    }


def _period(until: datetime) -> Mapping[str, str]:
    start, end = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (until - MONTH, until))
    return {
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
    }


def _text(number: Decimal) -> str:
    return f"{number:f}"
