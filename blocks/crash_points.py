"""Named points at which a process can be made to die, so that tests prove what a crash leaves."""

from __future__ import annotations

import os
import signal

VARIABLE = "ORCHESTRATOR_CRASH_AT"
"""Names the point; unset, as always outside tests, nothing happens."""


def reach(point: str) -> None:
    """Die here, as by ``kill -9``, if this is the point that the environment names."""
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
