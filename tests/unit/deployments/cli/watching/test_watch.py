"""A look in a line."""

from __future__ import annotations

from blocks.vocabulary.looks import Look
from deployments.cli.watching.watch import in_short


def test_what_nobody_looked_at_is_not_said_to_be_well() -> None:
    missing = Look(part="orders", covered=[], missing=["store:shop: fed by night"])
    assert in_short(missing) == "[bold]orders[/]: nothing could be looked at"
    assert (
        in_short(Look(part="probes", covered=[])) == "[bold]probes[/]: there is nothing to look at"
    )
    looked = Look(part="host", covered=["host:local"])
    assert in_short(looked) == "[bold]host[/]: 1 looked at, nothing is wrong"
