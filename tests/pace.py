"""Measure of how busy the machine is, for tests of what must not take long."""

from __future__ import annotations

import subprocess
import sys
import time


def slowness() -> float:
    """Return how many seconds a command takes now that does nothing: 0.1 on an idle machine."""
    began = time.monotonic()
    line = [sys.executable, "-m", "redis_enterprise_actions", "--version"]
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    return time.monotonic() - began


def soon() -> float:
    """Return the seconds within which a command that is told to end has ended, on this machine."""
    return 3.0 + 5 * slowness()
