"""Every page of the console, in the order of its menu."""

from __future__ import annotations

from isthmus.kernel import Platform
from isthmus.runtime.figures import Figures

from .calls import Calls, Told
from .capabilities import Capabilities
from .client import Client
from .lines import Lines
from .map import Map
from .orders import Orders
from .web import Page


def every_page(platform: Platform, figures: Figures, told: Told) -> list[Page]:
    """Return the pages for what this platform has; what it does not have is in no menu."""
    client = Client(platform)
    return [
        *Map(client, figures).pages(),
        *Lines(client, figures).pages(),
        *Capabilities(client, figures, told).pages(),
        *Orders(client).pages(),
        *Calls(client, told).pages(),
    ]
