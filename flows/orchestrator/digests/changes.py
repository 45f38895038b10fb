"""What of a check is news to an audience, by what it was told before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from blocks.ledger.work.tellings import Telling
from blocks.vocabulary.severity import Severity

NEARLY = 0.9
"""Of the time after which something is told again: a daily check is not daily to the second."""


@dataclass(frozen=True)
class Seen:
    """One thing that a check saw.

    Attributes:
        fingerprint: Its identity, equal from one check to the next.
        state: How it stands: a severity; or a text of which every change is news.
        title: What it is, in a line.
        source: Who saw it, ``agent.action``.
    """

    fingerprint: str
    state: str
    title: str
    source: str


@dataclass
class Changes:
    """What an audience is to be told.

    Attributes:
        new: Fingerprint to the state that it was last told in (empty: never), of what is news.
        again: Fingerprints of what is open and was told too long ago.
        over: What is over, as it was told.
        tellings: How all of it stands from now on.
    """

    new: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    over: list[Telling] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.again or self.over)


def changes(
    audience: str,
    known: Mapping[str, Telling],
    seen: Sequence[Seen],
    looked: Collection[str],
    repeat: timedelta,
    now: datetime,
) -> Changes:
    """Compare what is seen with what an audience knows.

    What is no longer seen is over only where whoever saw it has looked again: else nobody knows.

    Args:
        audience: Its name.
        known: What is open of what it was told of, by fingerprint.
        seen: What concerns it, each thing once.
        looked: Sources that have looked, and saw everything.
        repeat: After how long it is told again of what is open.
        now: The instant of the check.
    """
    found = Changes()
    for each in seen:
        before = known.get(each.fingerprint)
        is_new = before is None or _is_worse(each.state, before.state)
        is_due = before is not None and now - before.told_at >= repeat * NEARLY
        if is_new:
            found.new[each.fingerprint] = before.state if before else ""
        elif is_due:
            found.again.append(each.fingerprint)
        telling = Telling(
            audience=audience,
            fingerprint=each.fingerprint,
            state=each.state,
            title=each.title,
            source=each.source,
            since=before.since if before else now,
            told_at=now if before is None or is_new or is_due else before.told_at,
        )
        found.tellings += [telling] if telling != before else []
    present = {each.fingerprint for each in seen}
    found.over = [
        telling
        for fingerprint, telling in known.items()
        if fingerprint not in present and telling.source in looked
    ]
    found.tellings += [telling.model_copy(update={"over_at": now}) for telling in found.over]
    return found


_SEVERITIES = frozenset(severity.value for severity in Severity)


def _is_worse(state: str, before: str) -> bool:
    if {state, before} <= _SEVERITIES:
        return Severity(state) > Severity(before)
    return state != before
