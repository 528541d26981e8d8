"""Price lists of the group or of another front end: granted by their owner, and switched on by who sells by them."""

from __future__ import annotations

from isthmus.kernel import Effect, Value, capability, errors
from isthmus.values import Code, Moment

from .prices import STANDARD


class SwitchOn(Value):
    """Sell by a price list of another owner, who granted it (`pricing.price`).

    as_list: as which of the front end's own lists its prices count. goes_first: before its own prices in that list, as
    in a campaign of the group; otherwise where it has none.
    """

    owner: Code
    price_list: Code
    as_list: Code = STANDARD
    goes_first: bool = False


class SwitchOff(Value):
    """Sell by one's own prices again."""

    owner: Code
    price_list: Code


class Switched(Value):
    """Whether the front end sells by the list now."""

    owner: str
    price_list: str
    is_on: bool


class ListShared(Value):
    """Ask which price lists of others the front end may sell by."""


class SharedList(Value):
    """A list that was granted, with how it is switched on; no time where it is not."""

    owner: str
    price_list: str
    as_list: str | None
    goes_first: bool
    switched_on_at: Moment | None


class SharedLists(Value):
    """Lists by their owners and codes."""

    items: tuple[SharedList, ...]


class NotShared(errors.NotFound):
    """Nobody granted this price list to the front end."""

    slug = "pricing.not-shared"

    def __init__(self, *, owner: str, price_list: str) -> None:
        super().__init__(
            f"{owner!r} shares no price list {price_list!r} with you",
            remedy="ask its owner for a grant of pricing.price, or correct the code",
            path="$.price_list",
        )


@capability("pricing.switch-on", version="1.0", effect=Effect.WRITE, raises=[NotShared])
def switch_on(ask: SwitchOn) -> Switched:
    """Sell by a price list of another owner from now on: what is put there holds here at once. Safe to repeat.

    It ends with the grant. A price that a quote names is the owner's, and says the same for ever.
    """
    ...


@capability("pricing.switch-off", version="1.0", effect=Effect.WRITE)
def switch_off(ask: SwitchOff) -> Switched:
    """Sell by one's own prices again. Safe to repeat."""
    ...


@capability("pricing.list-shared", version="1.0", effect=Effect.READ)
def list_shared(ask: ListShared) -> SharedLists:
    """List the price lists that others granted, and how each is switched on."""
    ...
