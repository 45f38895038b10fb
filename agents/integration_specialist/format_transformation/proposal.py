"""What ``connect`` tells of a database: each frame's mapping, what it saw, what it asks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from blocks.store.mapping import FrameMapping

NEEDED = ("products", "stock", "sale_lines")
"""Frames without which the workflows have little to say."""


class FrameProposal(BaseModel):
    """How one of our frames would be read from the database.

    Attributes:
        name: The frame: ``products``, ``stock``, ``sale_lines`` or ``open_orders``.
        mappings: Where it is found; nothing when no table looks like it.
        rows_seen: How many rows were read through it, the newest first.
        rows_valid: How many of them fit the contract.
        notes: What was seen in the database, and what was made of it.
        questions: What a person has to say, since the database does not.
        problems: What is wrong with rows, or with the mapping.
        missing: Required columns that nothing was found for.
        sample: The first valid rows, as the workflows would see them.
        ready: The frame can be read as proposed, and stands in the business file.
    """

    name: str
    mappings: list[FrameMapping] = []
    rows_seen: int = 0
    rows_valid: int = 0
    notes: list[str] = []
    questions: list[str] = []
    problems: list[str] = []
    missing: list[str] = []
    sample: list[dict[str, Any]] = []
    ready: bool = False

    @property
    def ticked(self) -> bool:
        """Nothing of it is left for a person to say."""
        return self.ready and not self.questions


class ConnectProposal(BaseModel):
    """What ``connect`` found in a database.

    Attributes:
        database: Where it is, without user and password.
        system: What system it is, where a recipe knows it.
        tables: How many tables and views it has that can be read.
        left_out: Each of the others, with the reason: ``notes (text that is no UTF-8)``.
        frames: A proposal for each frame that a store has.
        remarks: What a person should check of the whole: its money, its clock.
        toml: A business file, ready to be saved; it holds no password.
        complete: Products, stock and sale lines can all be read as proposed.
    """

    database: str
    system: str = ""
    tables: int
    left_out: list[str] = []
    frames: list[FrameProposal]
    remarks: list[str] = []
    toml: str
    complete: bool
