"""What the money of a store's sales is: with or without tax, discounts, refunds, shipping."""

from __future__ import annotations

from typing import Literal

from blocks.models import Strict

Part = Literal["included", "excluded", "unknown"]


class Amounts(Strict):
    """What is in the revenue that a store's sale lines tell.

    Attributes:
        tax: ``excluded`` when amounts are net.
        discounts: ``excluded`` when they were taken off already.
        refunds: ``excluded`` when what was paid back is taken off.
        shipping: ``excluded`` when what customers pay for delivery is not in it.
    """

    tax: Part = "unknown"
    discounts: Part = "unknown"
    refunds: Part = "unknown"
    shipping: Part = "unknown"

    def words(self) -> str:
        """What a report says of it, for instance: Revenue is without tax, less refunds."""
        known = [f"{_WORDS[part][name]} {name}" for name, part in self if part != "unknown"]
        unknown = [name for name, part in self if part == "unknown"]
        said = f"Revenue is {', '.join(known)}." if known else ""
        unsaid = ""
        if unknown:
            *most, last = unknown
            listed = f"{', '.join(most)} or {last}" if most else last
            unsaid = f"Nobody has said whether revenue is with {listed}."
        return f"{said} {unsaid}".strip()


_WORDS = {
    "excluded": {"tax": "without", "discounts": "less", "refunds": "less", "shipping": "without"},
    "included": {"tax": "with", "discounts": "before", "refunds": "before", "shipping": "with"},
}
