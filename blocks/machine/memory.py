"""This process's memory."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Give the system back what is free: after large frames, the C library would keep much of it.

    Only where it is glibc's; elsewhere nothing is done.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
