"""What a pack points out of its metrics: what a front end fares by, and what grows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from isthmus.kernel import Pack, errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Headlines:
    """Metrics of the pack that say at a glance how a front end fares; its page in the console shows them in this order.

    Of what is not in the model here, such as a metric of a pack that is left out, nothing is shown.
    """

    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """Metrics of the pack that growth is read from, week by week, for each front end.

    metrics: of what happens in a week, as sales. totals: of what only adds up, as members. chain: who does it, how
    often, what it comes to: the last one's change is divided between them, as sales between buyers, orders a buyer and
    sales an order.
    """

    metrics: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()


def figure_problems(pack: Pack) -> Iterator[str]:
    """Say which metrics that a pack points out are none of its own."""
    own = {getattr(metric, "name", "") for metric in pack.metrics}
    for one in pack.brings:
        if isinstance(one, Headlines | Growing):
            kind, chained = ("headline", ()) if isinstance(one, Headlines) else ("growing", (*one.totals, *one.chain))
            for name in (name for name in (*one.metrics, *chained) if name not in own):
                yield f"{kind} {name!r} of {pack.name!r} is none of its metrics{errors.near(name, own)}; correct it"
