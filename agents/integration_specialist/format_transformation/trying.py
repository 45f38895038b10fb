"""Tries a proposal on the newest rows: how many of them fit, and whether they can be meant."""

from __future__ import annotations

from typing import Any

import pandas as pd

from agents.integration_specialist.format_transformation.looking.looker import Looker, Unreadable
from agents.integration_specialist.format_transformation.outline import FrameOutline
from agents.integration_specialist.format_transformation.proposal import FrameProposal
from blocks.store.rows import FrameReader, FrameSample
from blocks.text import printable

SAMPLE_ROWS = 1000
"""How many of the newest rows of each frame are read through the proposed mapping."""

UNFIT = 0.1
"""When more of the rows do not fit, it may be the mapping that is wrong."""

KEYS = frozenset({"sku", "order_id"})
"""Columns without which a row is about nothing."""

_FEWEST = 20  # rows that tell whether names differ
_SAME = 0.1


def tried(
    name: str, outline: FrameOutline, reader: FrameReader, looker: Looker
) -> tuple[FrameProposal, pd.DataFrame]:
    """A frame read as it is outlined, and the rows that fit."""
    told = _told(outline)
    if outline.missing or not outline.mappings:
        return FrameProposal(name=name, mappings=outline.mappings, **told), pd.DataFrame()
    try:
        sample = looker.bounded(lambda: reader.newest(name, outline.mappings, SAMPLE_ROWS))
    except Unreadable as error:
        sample = FrameSample(name, error=f"the newest rows cannot be read: {error}")
    fitting = sample.seen - _set_aside(sample)
    told["problems"] += [str(problem) for problem in sample.problems]
    nameless = _set_aside(sample, KEYS)
    if sample.error:
        told["problems"].append(sample.error)
    elif nameless > UNFIT * sample.seen:
        told["problems"].append(
            f"{nameless} of {sample.seen} rows say not which product or order they are about: "
            "something else is meant"
        )
    elif sample.seen - fitting > UNFIT * sample.seen:
        told["questions"].append(f"only {fitting} of {sample.seen} rows fit: is it what is meant?")
    if name == "products" and _all_alike(sample.frame):
        told["questions"].append(
            "most products have the same few names: is it the name of a group?"
        )
    proposal = FrameProposal(
        name=name,
        mappings=outline.mappings,
        rows_seen=sample.seen,
        rows_valid=fitting,
        sample=_shown(sample.frame),
        ready=not sample.error and nameless <= UNFIT * sample.seen,
        **told,
    )
    return proposal, sample.frame


def _set_aside(sample: FrameSample, columns: frozenset[str] = frozenset()) -> int:
    """How many rows did not fit, or not in these columns."""
    told = [p for p in sample.problems if not p.kept and (not columns or p.column in columns)]
    rows = sum(problem.rows for problem in told)
    return min(rows, sample.seen)


def _shown(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.head(5).astype(object).to_dict("records")
    return [
        {str(k): printable(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows
    ]


def ask_about_unknown(frames: list[FrameProposal]) -> None:
    """Without products nothing was held against them: what is about products is in question."""
    ready = {frame.name: frame for frame in frames if frame.ready}
    if "products" not in ready:
        for frame in ready.values():
            frame.questions.append(
                "whether these are products was not checked: products could not be read"
            )


def _told(outline: FrameOutline) -> dict[str, list[str]]:
    return {
        "notes": [*outline.notes],
        "questions": [*outline.questions],
        "missing": [*outline.missing],
        "problems": [*outline.problems],
    }


def _all_alike(products: pd.DataFrame) -> bool:
    if len(products) < _FEWEST or "name" not in products:
        return False
    return products["name"].nunique() < _SAME * len(products)
