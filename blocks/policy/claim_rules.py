"""How conflicts between workflows are settled: the part of the policy that concerns claims."""

from __future__ import annotations

from pydantic import Field

from blocks.models import Strict


class ClaimRules(Strict):
    """Who outranks everybody, and after which silence somebody is taken to be dead."""

    crisis: list[str] = Field(
        default=["crisis-management"],
        description="Workflows that outrank all others, whatever the priority.",
    )
    hold_seconds: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="A holder that reaches no safe point for so long loses its claim.",
    )
    wanted_seconds: float = Field(
        default=15.0,
        gt=0,
        le=86_400,
        description="Who asks a holder to yield and is not heard of for so long no longer asks.",
    )
