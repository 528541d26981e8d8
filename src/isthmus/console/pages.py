"""Every page of the console, in the order of its menu."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from isthmus.kernel import Platform
from isthmus.runtime.figures import Figures

from .calls import Calls, Told
from .capabilities import Capabilities
from .client import Client
from .find import Find
from .lines import Lines
from .map import Map
from .members import Members
from .orders import Orders
from .stock import Stock
from .web import Page


def every_page(
    platform: Platform, figures: Figures, told: Told, *, more: Sequence[Page] = (), metrics: Collection[str] = ()
) -> list[Page]:
    """Return the pages for what this platform has; what it does not have is in no menu.

    more: pages of parts that are not always there, such as the data platform, whose `metrics` can then be found.
    """
    client = Client(platform)
    return [
        *Map(client, figures).pages(),
        *Lines(client, figures).pages(),
        *Capabilities(client, figures, told).pages(),
        *Orders(client).pages(),
        *Members(client).pages(),
        *Stock(client).pages(),
        *Calls(client, told).pages(),
        *Find(client, told, metrics).pages(),
        *more,
    ]
