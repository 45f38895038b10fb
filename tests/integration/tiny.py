"""Workflows of the least size, for tests of how workflows are deployed and run."""

from __future__ import annotations

import asyncio
import os

from prefect import flow


@flow(name="tiny", log_prints=True)
async def tiny(text: str = "well") -> None:
    """Say something, and from where."""
    print(f"{text} in {os.getcwd()}")


@flow(name="endless")
async def endless() -> None:
    """Hold a slot until the run is ended."""
    await asyncio.Event().wait()
