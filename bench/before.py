"""Compare a benchmark with what it was in another checkout, in turns.

    git worktree add ../before COMMIT
    python -m bench.before ../before kernel._pipeline process.rows --turns 5
    python -m bench.before ../before hot_sku.rows --parts catalog inventory order checkout

Each turn runs a function of `bench` in both checkouts, one after the other, each in a process of its own with this
environment's packages and the checkout's `src/`. Figures are matched by their names, one that says more now with the
one that it begins with; where a name has changed otherwise, nothing is compared. Platforms in these processes keep
garbage collection out of the calls, as `isthmus serve` does in both checkouts. Of several turns the best figure counts
(the smallest, or the largest of rates): what else a machine does makes a measurement only worse. `--parts` measures
this checkout with some packs and flows alone, such as those that the other one had: what has come since does more, and
takes its time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parents[1]
ONCE = """
import contextlib, gc, importlib, json, sys

def settled(running):
    @contextlib.asynccontextmanager
    async def started(*args, **named):
        async with running(*args, **named) as platform:
            gc.freeze()
            gc.set_threshold(10_000)
            yield platform
    return started

module, _, function = sys.argv[1].partition(".")
measuring = getattr(importlib.import_module(f"bench.{module}"), function)
if shop := sys.modules.get("bench._shop"):
    shop.running = settled(shop.running)
rows = measuring(int(sys.argv[2]))
print("\\n" + json.dumps([(row["name"], row["value"], row["unit"]) for row in rows]))
"""

Figures = dict[str, list[float]]


def main() -> None:
    """Measure in turns and print a line for each figure."""
    parser = argparse.ArgumentParser(
        prog="bench.before", description="Compare a benchmark with another checkout, in turns."
    )
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("functions", nargs="+", metavar="MODULE.FUNCTION", help="of `bench`, such as process.rows")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="in each turn")
    parser.add_argument("--parts", nargs="+", default=[], help="packs and flows of this checkout; all without it")
    chosen = parser.parse_args()
    for function in chosen.functions:
        found: dict[Path, Figures] = {chosen.before.resolve(): defaultdict(list), HERE: defaultdict(list)}
        units: dict[str, str] = {}
        for _ in range(chosen.turns):
            for checkout, figures in found.items():
                for name, value, unit in _measured(checkout, function, chosen.rounds, chosen.parts):
                    figures[name].append(value)
                    units[name] = unit
        before, now = found.values()
        for name in now:
            was = name if name in before else next((one for one in before if name.startswith(one)), None)
            if was is not None:
                _print(function, name, units[name], before[was], now[name])


def _measured(checkout: Path, function: str, rounds: int, parts: Sequence[str]) -> list[tuple[str, float, str]]:
    paths = f"{checkout / 'src'}{os.pathsep}{checkout / 'kits/storefront/src'}{os.pathsep}{checkout}"
    command = [sys.executable, "-c", ONCE, function, str(rounds)]
    known = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""}  # compiled, as what is installed is
    done = subprocess.run(
        command,
        cwd=checkout,
        env=known | ({"ISTHMUS_BENCH_PARTS": " ".join(parts)} if checkout == HERE else {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _print(function: str, name: str, unit: str, before: list[float], now: list[float]) -> None:
    best = max if unit.endswith("/s") else min
    pairs = ((best(now), best(before)), (statistics.median(now), statistics.median(before)))
    ratios = " | ".join(f"{one / other:.3f}" if other else "-" for one, other in pairs)
    print(f"{function} | {name} | {best(before):.4g} {unit} | {best(now):.4g} {unit} | {ratios}")


if __name__ == "__main__":
    main()
