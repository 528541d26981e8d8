"""Programs of Debian that tests drive, installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess

INSTALLS_WITHIN_S = 300


def install(package: str) -> bool:
    """Install a package of Debian where that is allowed, and say whether that went well."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "--no-install-recommends", package]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALLS_WITHIN_S)
        except (subprocess.SubprocessError, OSError):
            return False
    return True
