"""Orders, as others may name them: baskets, orders in groups, and what becomes of them.

    order:   place ──▶ placed ──mark-paid──▶ paid ──mark-shipped──▶ part-shipped ──▶ shipped ──complete──▶ completed
                         │ └─expire─▶ expired   │
                         └──────cancel──────────┴──▶ cancelled        (handed over in a shop: completed at once)

What is placed together is one group; each order of it is what one seller or place sends. The total of a group is
the sum of its orders'. An order is kept as it was sold: prices, discounts, tax, the version of the rules. Numbers
count up within a front end: each server leases a block of them, so that no order waits for another, and a number
that was never used can be explained by its lease.
"""

# pyright: reportUnusedImport=false

from .baskets import (
    Basket,
    BasketLine,
    GetBasket,
    MergeBasket,
    OpenBasket,
    SetCoupons,
    SetLine,
    SetLines,
    get_basket,
    merge_basket,
    open_basket,
    set_coupons,
    set_lines,
)
from .errors import (
    BadCursor,
    BasketFull,
    BasketsDiffer,
    CancelRefused,
    IllegalTransition,
    NotReturnable,
    OrderRefused,
    TransitionRefused,
    UnknownBasket,
    UnknownOrder,
    UnknownReturn,
)
from .model import (
    DISCOUNTS_MAX,
    CheckDraft,
    DiscountShare,
    Draft,
    DraftChecked,
    DraftDiscount,
    DraftLine,
    Email,
    HistoryEntry,
    LineAttributes,
    Order,
    OrderAttributes,
    OrderBrief,
    OrderLine,
    OrderState,
    PlacedGroup,
    PlaceOrder,
)
from .numbers import BLOCK, GRACE_S, LASTS_S, Numbers
from .orders import (
    EXPIRE_MAX,
    MERGED_MAX,
    Cancel,
    CancelledOrder,
    Complete,
    ExpiredGroups,
    ExpireDue,
    GetGroup,
    GetOrder,
    GroupOrders,
    HeldGroup,
    ListOrders,
    MarkPaid,
    MarkShipped,
    OrderMoved,
    OrderPage,
    OrderPlaced,
    Reason,
    RecordDeposit,
    ShippedLine,
    cancel_order,
    cancellation_fee,
    check_draft,
    commission,
    complete_order,
    expire_due,
    get_group,
    get_group_orders,
    get_order,
    guard_cancellation,
    guard_return,
    guard_transition,
    hold_group,
    list_orders,
    mark_paid,
    mark_shipped,
    place_order,
    record_deposit,
    refund_share,
    split_key,
    validate_order,
)
from .returns import (
    DecideReturn,
    GetReturn,
    ListReturns,
    ReceiveReturn,
    RefundShare,
    RequestReturn,
    Return,
    ReturnLine,
    ReturnMoved,
    Returns,
    ReturnState,
    SettleReturn,
    decide_return,
    get_return,
    list_returns,
    receive_return,
    request_return,
    settle_return,
)
