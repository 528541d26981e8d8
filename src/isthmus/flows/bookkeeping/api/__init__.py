"""What is booked when something happens: paid, delivered, returned, cancelled, points earned and spent.

    payment.payment-moved   money is at a provider, or went back      ─┐
    order.order-placed      sold and handed over at a till             │   happening ──▶ postings (a front end's rule)
    order.order-moved       goods have left, or an order is cancelled  ├─▶                    │
    order.return-moved      goods came back                            │                     ▼
    member.points-moved     points were earned, spent or taken back    │   ledger.record, in the same transaction
    member.points-honoured  points that another front end gave         │
    member.points-lapsed    points that nobody spent in time           │
    member.points-spent-elsewhere   points that others took            │
    inventory.stock-sold    goods went to another owner                │
    order.hand-in-moved     goods were taken back at another front end │
    payment.credit-moved    gift cards and store credit                │
    promotion.discount-borne, uses-returned   others bear a discount   │
    chargeback.chargeback-moved   a payer's bank took money back, or it came back or is lost
    ledger.claim-made       another front end has booked what we owe  ─┘

Each flow reacts to an event inside the transaction that emits it, so what happened and what is booked are one commit;
the packs know nothing of it. Revenue is booked when goods leave: what was paid before is owed to the customer till
then.

Chart of the default rules:

    assets:clearing             at a provider or in a till, not yet on the bank account; by provider
    liabilities:customers       paid and not delivered, or to be given back
    liabilities:tax:…           tax of what was delivered, by jurisdiction and tax category
    liabilities:sellers         what sellers are due for goods that were sold for them; by seller
    liabilities:points          what members' points are worth
    liabilities:credit          what is left on gift cards and store credit of one's own programmes
    assets:front-ends, liabilities:front-ends   what another front end owes, or is owed; by front end
    assets:bearers              what others bear of discounts; by who bears it
    assets:chargebacks          taken back by payers' banks, and not decided yet
    expenses:chargebacks, expenses:chargeback-fees   lost, and what the provider kept for them
    income:sales, income:delivery, income:commission, income:cancellation-fees, income:forfeited-deposits
    income:stock-sold, expenses:stock-bought    goods that changed their owner between front ends
    equity:turnover             what was charged for goods and delivery, a debit; below it, as credits:
    equity:turnover:base:…, equity:turnover:tax:…   taxable base and tax, by jurisdiction, category and rate: memo
                                accounts for tax returns, which come to zero together
    income:returns, income:allowances          taken back, and given back without goods: they lessen income
    expenses:discounts, expenses:payment-fees, expenses:points
    expenses:points:lapsed      what points were worth that nobody spent in time: it lessens what points cost
    expenses:credit-given, income:expired-credit
"""

# pyright: reportUnusedImport=false

from .booking import (
    book_borne,
    book_chargeback,
    book_claim,
    book_closing,
    book_credit,
    book_hand_in,
    book_honoured,
    book_lapsed,
    book_order,
    book_payment,
    book_points,
    book_return,
    book_sale,
    book_spent_elsewhere,
    book_stock,
    book_unborne,
    chargeback_bearers,
    default_postings,
    payment_fee,
    points_worth,
    postings,
)
from .model import BecameDue, Booked, DueLine, Happening, Kind, Owed, PromotionShare, SoldLine
