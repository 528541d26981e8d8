"""What a member sees of themselves: tier, points and where they come from, orders."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from isthmus.kernel import Value
from isthmus.markings import Pii
from isthmus.packs.member import api as member
from isthmus.packs.order import api as order
from isthmus.screens import AskScreen, Part, Screen, screen
from isthmus.values import Moment, Money

MOVEMENTS = 5
ORDERS = 5


class AskAccount(AskScreen):
    """Ask for a member's own page."""

    member_id: UUID


class Standing(Value):
    """How a member is called, and what they are here."""

    given_name: Annotated[str, Pii("name", why="to greet who looks at their own page")]
    tier: str
    points: int
    joined_at: Moment


class OrderInShort(Value):
    """An order, to go on to."""

    order_id: UUID
    number: str
    state: order.OrderState
    placed_at: Moment
    total: Money


class Account(Screen):
    """A member's own page."""

    standing: Standing | None = None
    points: member.PointsPage | None = None
    orders: tuple[OrderInShort, ...] | None = None


def _standing(found: member.Member) -> Standing:
    name = found.profile.given_name
    return Standing(given_name=name, tier=found.tier, points=found.points, joined_at=found.joined_at)


def _orders(found: order.OrderPage) -> tuple[OrderInShort, ...]:
    return tuple(
        OrderInShort(
            order_id=one.order_id, number=one.number, state=one.state, placed_at=one.placed_at, total=one.total
        )
        for one in found.items
    )


def _merged(ask: AskAccount, standing: member.Member) -> order.ListOrders:
    """Ask for orders under every name that the member had: some were placed before two memberships became one."""
    return order.ListOrders(member_id=ask.member_id, merged_ids=standing.merged_ids, limit=ORDERS)


def _member(ask: AskAccount) -> member.GetMember:
    return member.GetMember(member_id=ask.member_id)


def _points(ask: AskAccount) -> member.ListPoints:
    return member.ListPoints(member_id=ask.member_id, limit=MOVEMENTS)


@screen(
    "brand.account",
    version="1.0",
    standing=Part(member.get_member, _member, shows=_standing),
    points=Part(member.list_points, _points, within_ms=500),
    orders=Part(order.list_orders, _merged, shows=_orders),
)
def account(ask: AskAccount) -> Account:
    """Show a member what they are here: tier and points, where these come from, and what they ordered."""
    ...
