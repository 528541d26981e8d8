"""A fresh machine gets the programs that tests drive."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest

from tests import debian


def test_a_package_is_installed_by_commands_that_the_system_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        subprocess.list2cmdline(command)  # refuses what is no list of texts
        asked.append(command)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    assert debian.install("hostname")
    assert [command[:2] for command in asked] == [["apt-get", "update"], ["apt-get", "install"]]
    assert asked[1][-1] == "hostname"
