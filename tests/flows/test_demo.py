"""The demo sells real baskets and comes to what the source says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "test-demo"  # not below pytest's own folder: PostgreSQL's account may not pass through that


def test_the_first_baskets_of_the_year_come_to_what_the_source_says() -> None:
    environment = {**os.environ, "ISTHMUS_DATA": str(DATA)}
    environment.pop("ISTHMUS_DATABASE_URL", None)
    command = [sys.executable, "-m", "isthmus.cli", "demo", "--orders", "60", "--exit", "--json"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = json.loads(ran.stdout)
    assert report["equal"] is True
    assert report["total"]["minor"] == report["total"]["source_minor"] > 0
    sold = sum(found["orders"] for found in report["front_ends"].values())
    assert sold >= 60  # a basket is an order in each business line that it has goods of
