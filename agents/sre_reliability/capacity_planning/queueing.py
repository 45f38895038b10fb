"""How much load a resource bears before work waits too long: the knee of its response time.

Below the knee response grows slowly with load, above it steeply. It is taken to be where work
waits as long as it is worked on, so that it takes twice its time: for a single server that is half
of its capacity, the load of the most throughput per response time (Kleinrock, "Power and
deterministic rules of thumb for probabilistic problems in computer communications", ICC 1979). More
servers share one queue better, and their knee lies closer to their number.

A share of the limit as a rule of thumb would be wrong for either: 80% of one slot is far beyond the
knee, 80% of fifty far below it. So it serves only for what does not work in slots.
"""

from __future__ import annotations

from math import inf


def waiting_share(load: float, slots: int) -> float:
    """How long work waits for a slot, as a multiple of how long it is worked on (M/M/c).

    With the chance C that it has to wait, that is C / (c - a). Source: Erlang, "Solution of some
    problems in the theory of probabilities of significance in automatic telephone exchanges",
    1917, his formula C, by the recursion of formula B.

    Args:
        load: Mean number of slots in use, a: arrivals per second times seconds of work each
            (Little, "A proof for the queuing formula L = λW", Operations Research 9, 1961).
        slots: How many there are, c.
    """
    if load <= 0:
        return 0.0
    if load >= slots:
        return inf
    blocked = 1.0
    for number in range(1, slots + 1):
        blocked = load * blocked / (number + load * blocked)
    share = load / slots
    return blocked / (1 - share * (1 - blocked)) / (slots - load)


def knee_of_slots(slots: int) -> float:
    """The load, in slots in use, at which work waits as long as it is worked on."""
    low, high = 0.0, float(slots)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if waiting_share(middle, slots) <= 1 else (low, middle)
    return low


def slots_for(load: float, at_most: int) -> int:
    """The fewest slots that bear a load; ``at_most`` where more were needed."""
    return next((n for n in range(1, at_most) if knee_of_slots(n) >= load), at_most)


def busy_at(response: float, budget: float, busy: float) -> float:
    """How busy a server may be until its response takes up its budget.

    By R = S / (1 - U): from the response R at the utilization U follows the one at any other
    (M/M/1; Kleinrock, "Queueing Systems" I, 1975, 3.2).

    Args:
        response: Time that it takes to answer now.
        budget: Time that it may take, in the same unit.
        busy: Its utilization now, 0 to 1.

    Returns:
        A utilization, at least 0: below the present one where the budget is exceeded already.
    """
    return max(0.0, 1 - (1 - min(busy, 1.0)) * response / budget)
