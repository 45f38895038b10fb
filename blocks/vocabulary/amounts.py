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
        """One sentence for a report: what the revenue is with, and what without."""
        parts = self.model_dump().items()
        net = [name for name, part in parts if part == "excluded"]
        gross = [name for name, part in parts if part == "included"]
        unknown = [name for name, part in parts if part == "unknown"]
        said = [
            f"{word} {', '.join(names)}"
            for word, names in (("without", net), ("with", gross))
            if names
        ]
        if unknown:
            said.append(f"nobody has said whether with {', '.join(unknown)}")
        return f"Revenue is {'; '.join(said)}."
