"""What comes after a sale: sending goods, changing what was ordered, and taking goods back.

ship-order       goods leave stock and the order knows it, in one transaction
change-order     lines and quantities before they are sent: the difference is to be paid, or given back
correct-address  where an order is sent to, as far as it has not left
take-back        the goods of an approved return are in stock again, or written off
refund-return    taken back, the money returned, the return settled; each step once, however often it is asked
close-lines      what will never come is closed: stock free, the money returned, the order done
take-hand-in     goods of another front end's order are taken back here; their front end answers and pays
book-refund      whatever a payment gives back stands in the book of the order, in one transaction
"""

# pyright: reportUnusedImport=false

from .changes import (
    AlreadyPaid,
    ChangedGoods,
    ChangedOrder,
    ChangeOrder,
    ChangePreview,
    DifferenceChanged,
    NothingToChange,
    OtherOrder,
    SetQuantity,
    change_goods,
    change_order,
    correct_address,
    preview_change,
)
from .desk import (
    AnswerHandIns,
    HandInsAnswered,
    HandInsSettled,
    ListPersonsOrders,
    SettleHandIns,
    TakeHandIn,
    answer_hand_ins,
    close_hand_in,
    list_persons_orders,
    receive_hand_in,
    settle_hand_ins,
    take_hand_in,
)
from .goods import (
    CloseLines,
    RefundReturn,
    ShipOrder,
    book_refund,
    close_goods,
    close_lines,
    refund_return,
    ship_order,
    take_back,
)
