"""The oldest PostgreSQL that Debian still brings does all that the embedded one does: these tests run on it again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import postgres15

ROOT = Path(__file__).resolve().parents[2]
AGAIN = (
    "tests/store",
    "tests/packs",
    "tests/upgrade",
    "tests/flows/test_checkout.py",
    "tests/flows/test_second_thoughts.py",
    "tests/runtime/test_own_guide.py",
    "tests/runtime/test_subscriptions.py",
    "tests/runtime/test_deploy.py",
)


@pytest.mark.slow
def test_store_packs_and_flows_run_on_postgresql_15() -> None:
    if not postgres15.install():
        pytest.skip(postgres15.MISSING)
    with tempfile.TemporaryDirectory(prefix="isthmus-") as folder, postgres15.served(Path(folder) / "15") as url:
        environment = {**os.environ, "ISTHMUS_TEST_DATABASE_URL": url}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *AGAIN]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8_000:]
