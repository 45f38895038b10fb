"""Workflows of the least size, for tests of how workflows are deployed and run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from prefect import flow

from flows.orchestrator.team.opening import workflow_run


@flow(name="tiny", log_prints=True)
async def tiny(text: str = "well") -> None:
    """Say something, and from where."""
    print(f"{text} in {os.getcwd()}")


@flow(name="endless")
async def endless() -> None:
    """Hold a slot until the run is ended."""
    await asyncio.Event().wait()


@flow(name="mortal")
async def mortal(folder: str = "") -> None:
    """Wait for death in the first life; come to an end in the next one."""
    async with workflow_run("mortal", with_business=False) as team:
        await team.ledger.flush()
        if _count(Path(folder, "lives")) == 1:
            await asyncio.Event().wait()


def _count(lives: Path) -> int:
    with lives.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return lives.read_text().count("\n")
