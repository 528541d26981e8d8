"""What goods cost: price lists of a front end, and quotes from them.

    put ──▶ live ──▶ superseded   another price was put for the same key
              └────▶ withdrawn    taken back by hand

A price is never edited: what a quote names as `price_id` says the same for ever. A price applies from `valid_from`
until just before `valid_to`. Amounts are minor units per `per` units of the SKU, so that 3 for 5.00 and 1.29 per
100 g are exact.
"""

# pyright: reportUnusedImport=false

from .prices import (
    AMOUNT_MAX,
    PRICES_MAX,
    STANDARD,
    AmountTooLarge,
    BadCursor,
    CurrencyNotSold,
    Cursor,
    LineAttributes,
    LineRounding,
    ListedLine,
    ListPriceHistory,
    ListPrices,
    Location,
    NoListPrice,
    OrderAttributes,
    Price,
    PriceAmount,
    PricedLine,
    PriceEntry,
    PricePage,
    PriceRefused,
    PricesChanged,
    PricesPut,
    PricesWithdrawn,
    PutPrices,
    Quote,
    QuoteLine,
    QuoteLines,
    UnitPrice,
    UnknownPrice,
    WithdrawPrices,
    adjust_unit_price,
    choose_locations,
    choose_price_lists,
    grant_sale_price,
    list_price_history,
    list_prices,
    put_prices,
    quote,
    round_line,
    validate_price,
    withdraw_prices,
)
from .sharing import (
    ListShared,
    NotShared,
    SharedList,
    SharedLists,
    Switched,
    SwitchOff,
    SwitchOn,
    list_shared,
    switch_off,
    switch_on,
)
