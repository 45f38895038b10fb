"""Which objectives are in force: a person's own, and one for each service that nobody spoke of."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.business.services import MonitoredService
from blocks.policy.watching.objective_rules import Availability, Objective, ObjectiveRules

_LONGEST_NAME = 80


def objectives_in_force(
    services: Sequence[MonitoredService], rules: ObjectiveRules
) -> list[Objective]:
    """A person's own objectives, and availability of every service that none of them is about."""
    own = list(rules.own)
    if rules.services is None:
        return own
    spoken_of = {each.target for each in own if isinstance(each.source, Availability)}
    taken = {each.name for each in own}
    for service in services:
        target, name = f"service:{service.name}", f"{service.name}-availability"[:_LONGEST_NAME]
        if target not in spoken_of and name not in taken:
            own.append(
                Objective(
                    name=name,
                    target=target,
                    description=f"{service.name} is up when it is looked at.",
                    objective=rules.services,
                )
            )
    return own
