"""Memory that is given back to the system, by what the system says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from blocks.settings import PROJECT_ROOT

SCRIPT = """
import numpy as np, psutil
from blocks.machine.memory import give_back
own = psutil.Process().memory_info
many = [np.ones(1_000) for _ in range(40_000)]
last = np.ones(1_000)  # keeps the C library from giving back what is below
many.clear()
held = own().rss
give_back()
print((held - own().rss) / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only glibc can be asked.")
def test_what_is_free_goes_back() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=PROJECT_ROOT, capture_output=True, check=True, text=True
    )
    assert float(ended.stdout) > 200
