"""Sell a year of real baskets on the platform, check every total against the source, keep serving."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from isthmus.app.config import Config

CONCURRENT_MAX = 64


def demo(config: Config, args: Sequence[str]) -> int:
    """Run the demo with command line arguments; return 0 where every total equals the source's."""
    chosen = _arguments(args)
    from demo.run import run  # here: help waits for no pack

    return run(config, chosen)


def _arguments(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="isthmus demo", description=__doc__)
    parser.add_argument("--orders", type=int, metavar="N", help="sell only the first N baskets of the year (of 47,243)")
    parser.add_argument("--spread", action="store_true", help="take the N baskets from the whole year, evenly")
    parser.add_argument("--exit", action="store_true", help="stop after the check instead of serving")
    parser.add_argument("--json", action="store_true", help="print the totals as JSON")
    parser.add_argument("--concurrency", type=int, default=16, help="buyers at once (default 16)")
    parser.add_argument("--port", type=int, help="port to serve on")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="serve what an earlier run has sold, where there is one",
    )
    chosen = parser.parse_args(args)
    if chosen.orders is not None and chosen.orders < 1:
        parser.error(f"--orders {chosen.orders}: sell at least one basket")
    if not 1 <= chosen.concurrency <= CONCURRENT_MAX:
        parser.error(f"--concurrency {chosen.concurrency}: choose 1 to {CONCURRENT_MAX}")
    return chosen
