"""The way from a basket to a paid order.

    preview-order    says what placing would do; nothing is written
    place-order      one transaction: number, stock, coupons, order, receivable, events; or nothing at all
    pay-order        authorise with the provider, confirm, capture; undone in reverse where a step fails
    use-credit       a gift card pays all of it, or a part; leave-credit takes it off again
    confirm-payment  what follows from a payment, from whichever side the news comes first
    cancel-order     before shipping: money, stock, coupons and points go back
    expire-orders    unpaid orders run out and give back what they held

A flow owns no table. The total that was shown is charged, or the order is refused with `checkout.price-changed`: the
`expected_total` where one is sent, and otherwise each line that the basket says was shown.
"""

# pyright: reportUnusedImport=false

from .agreed import NothingInStock, PlaceAgreed, place_agreed
from .bill import BasketChanged, Bill, BillLine, Drift, OrderPreview, Shortage, Substitute
from .carrying import CarriedOn, CarryOn, LeaveCredit, Paid, UseCredit, carry_on, leave_credit, use_credit
from .checkout import (
    COUPONS_MAX,
    EXPIRE_MAX,
    OFFERS_MAX,
    PAY_WITHIN,
    PLACES,
    PREVIEW_DEADLINE_MS,
    SUBSTITUTED_MAX,
    BuyLine,
    BuyLines,
    Cancelled,
    CancelOrder,
    ConfirmPayment,
    CouponCodes,
    Expired,
    ExpireOrders,
    NothingToBuy,
    PayOrder,
    PlacedOrder,
    PlaceOrder,
    PreviewOrder,
    PriceChanged,
    SlotNeeded,
    cancel_order,
    check_basket,
    confirm_payment,
    expire_orders,
    give_back,
    place_order,
    preview_order,
)
from .joining import claim_orders, join_uses
from .paying import TAKING, go_on, pay_order, receive_notification, settle_payments
