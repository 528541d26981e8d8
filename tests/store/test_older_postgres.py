"""Each PostgreSQL that Isthmus runs on does all that the embedded one does: these tests run on the older ones again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import older_postgres

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
@pytest.mark.parametrize("major", older_postgres.MAJORS)
def test_store_packs_and_flows_run_on_older_servers(major: int) -> None:
    if not older_postgres.install(major):
        pytest.skip(older_postgres.missing(major))
    place = tempfile.TemporaryDirectory(prefix="isthmus-")
    with place as folder, older_postgres.served(major, Path(folder) / str(major)) as url:
        environment = {**os.environ, "ISTHMUS_TEST_DATABASE_URL": url}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "not slow", *AGAIN]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8_000:]
