"""Figures of a pack, as a scraper of metrics reads them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A figure of the pack for those who watch the platform from outside, read at each scrape over all front ends.

    name: as Prometheus writes it, without `isthmus_`. labels: columns of the SQL whose values are few; `value` is the
    figure. What a row is about may be no person's.
    """

    name: str
    help: str
    sql: str
    labels: tuple[str, ...] = ("front_end",)
