"""Waiting for what a test cannot be told of: other processes, servers, databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

_EVERY = 0.05


def wait_until(look: Callable[[], T], what: str, *, timeout: float = 60) -> T:
    """What was found, as soon as there is something; fails the test when there never is."""
    give_up = time.monotonic() + timeout
    while not (found := look()):
        if time.monotonic() > give_up:
            pytest.fail(f"{what}: not within {timeout:.0f} s")
        time.sleep(_EVERY)
    return found


async def until(look: Callable[[], Awaitable[T]], what: str, *, timeout: float = 60) -> T:
    """The same, for what is looked up while other tasks go on."""
    give_up = time.monotonic() + timeout
    while not (found := await look()):
        if time.monotonic() > give_up:
            pytest.fail(f"{what}: not within {timeout:.0f} s")
        await asyncio.sleep(_EVERY)
    return found
