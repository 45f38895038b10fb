"""A workflow of the least size, for tests of how workflows are deployed and run."""

from __future__ import annotations

import os

from prefect import flow


@flow(name="tiny")
async def tiny(text: str = "well") -> str:
    """Say something back, from where it runs."""
    return f"{text} in {os.getcwd()}"
