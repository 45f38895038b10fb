"""The business file that ``connect`` proposes: what can be read, and as comments what is open."""

from __future__ import annotations

from typing import Any

import tomli_w
from sqlalchemy.engine import URL

from agents.integration_specialist.format_transformation.outline import Outline
from agents.integration_specialist.format_transformation.proposal import FrameProposal
from blocks.store.mapping import FrameMapping


def business_file(url: URL, outline: Outline, frames: list[FrameProposal]) -> str:
    """A business file in TOML. A URL with a password is left to the environment.

    Args:
        url: Where the database is.
        outline: What the store's money and clock are.
        frames: What was tried; what cannot be read as proposed is left out and said.
    """
    secret = url.password is not None or bool(url.query)
    known = {name: part for name, part in outline.amounts.items() if part != "unknown"}
    currency = main_currency(outline)
    store = {
        "name": "my-store",
        "url": "${STORE_URL}" if secret else url.render_as_string(),
        **({"currency": currency} if currency else {}),
        "timezone": outline.timezone,
        **({"amounts": known} if known else {}),
        "frames": {frame.name: _written(frame.mappings) for frame in frames if frame.ready},
    }
    comments = [
        "Your business, for ORCHESTRATOR_BUSINESS_FILE. See docs/connect-your-business.md.",
        *(["The database's address holds a password: export STORE_URL='…'"] if secret else []),
        *remarks(outline),
        *(f"{frame.name} is not here: {_why(frame)}." for frame in frames if not frame.ready),
        *(f"{frame.name}: {asked}" for frame in frames if frame.ready for asked in frame.questions),
    ]
    lines = (line for comment in comments for line in comment.splitlines())
    return "".join(f"# {line}\n" for line in lines) + tomli_w.dumps({"store": store})


def _written(mappings: list[FrameMapping]) -> Any:
    written = [mapping.model_dump(exclude_defaults=True) for mapping in mappings]
    return written if len(written) > 1 else written[0]


def _why(frame: FrameProposal) -> str:
    if not frame.mappings or not frame.missing:
        return "; ".join(frame.problems).rstrip(".")
    return f"{frame.mappings[0].table} has nothing that looks like {', '.join(frame.missing)}"


def main_currency(outline: Outline) -> str:
    """The currency that most of the rows looked at are in; "" where nothing tells."""
    seen = outline.currencies
    return max(sorted(seen), key=lambda code: seen[code][1], default="")


def remarks(outline: Outline) -> list[str]:
    """What a person should know or check of the whole: its system, its money, its clock."""
    clock = (
        f"Check timezone ({outline.timezone}): dates without a zone are taken as the store's own "
        "time; where they are UTC, write utc(column)."
    )
    return [*outline.notes, _about_currency(outline), clock]


def _about_currency(outline: Outline) -> str:
    seen, currency = outline.currencies, main_currency(outline)
    if not seen:
        return (
            "What money the amounts are in could not be told: "
            "write currency = 'EUR', or whatever it is, below [store]."
        )
    place, _ = seen[currency]
    if len(seen) == 1:
        return f"The currency is {currency}, as {place} says."
    total = sum(rows for _, rows in seen.values())
    found = ", ".join(f"{code} {rows / total:.0%}" for code, (_, rows) in sorted(seen.items()))
    others = [code for code in sorted(seen) if code != currency]
    worth = ", ".join(f"{code} = …" for code in others)
    return (
        f"Amounts are in several currencies ({found} of {place}). Those in {', '.join(others)} are "
        f"kept apart until rates = {{ {worth} }} says what one is worth in {currency}."
    )
