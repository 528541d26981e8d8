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
class Lines:
    """What else than a front end a line may be: a category, a product, members who joined together.

    metric: of what adds up over such lines. by: the field that tells them apart, with a grain where it is a time.
    label: the field that people know them by, where that is another.
    """

    name: str
    metric: str
    by: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movements:
    """How it is told who is new, who came back and who moved: by orders of an account, and of the person behind it.

    account, person: entities that the rows of the chain refer to. member: the field that is empty for guests. earlier,
    recent, before: metrics of longer ago than 13 weeks, of the last 13, and of the 13 before those.
    """

    account: str
    person: str
    member: str
    earlier: str
    recent: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """Metrics of the pack that growth is read from, week by week, for each front end.

    metrics: of what happens in a week, as sales. totals: of what only adds up, as members. chain: who does it, how
    often, how much, what it comes to: the last one's change is divided between them, as sales between buyers, orders a
    buyer, units an order and sales a unit. lines: what else lines are. movements: how people are told apart who are
    new, and who moved between front ends. combined: fields of how something is sold; a value that is new beside others
    is a new combination. is_venture: these are sold by ventures, beside the platform. buyers: how many people bought,
    where no movements say it. begun: SQL for code and day (`begun_on`) of lines that were begun before they were
    deployed, such as a venture's, which begins with its charter; and for what it may spend and has spent, as
    `budget_currency`, `budget_minor` and `spent_minor`.
    """

    metrics: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    lines: tuple[Lines, ...] = ()
    movements: Movements | None = None
    combined: tuple[str, ...] = ()
    is_venture: bool = False
    buyers: str = ""
    begun: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Return every metric that this names."""
        moved = self.movements
        people = (moved.earlier, moved.recent, moved.before) if moved else ()
        people += (self.buyers,) if self.buyers else ()
        return (*self.metrics, *self.totals, *self.chain, *(one.metric for one in self.lines), *people)


def figure_problems(pack: Pack) -> Iterator[str]:
    """Say which metrics that a pack points out are none of its own."""
    own = {getattr(metric, "name", "") for metric in pack.metrics}
    for one in pack.brings:
        if isinstance(one, Headlines | Growing):
            kind, named = ("headline", one.metrics) if isinstance(one, Headlines) else ("growing", one.named)
            for name in (name for name in dict.fromkeys(named) if name not in own):
                yield f"{kind} {name!r} of {pack.name!r} is none of its metrics{errors.near(name, own)}; correct it"
