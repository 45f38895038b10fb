"""Who sits at the command line, for the record."""

from __future__ import annotations

import getpass
import os


def current_user() -> str:
    """The user's name, or number when there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
