"""What is news to an audience: each change once, what stays open in time, what is over once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger.work.tellings import Telling
from flows.orchestrator.digests.changes import Changes, Seen, changes

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LOOK = "sre-reliability.comprehensive_health_check"


def seen(name: str, state: str = "critical", source: str = LOOK) -> Seen:
    return Seen(f"service-down/service:{name}", state, f"{name} is down", source)


class Reader:
    """An audience that is told again and again, and what it knows."""

    def __init__(self) -> None:
        self.known: dict[str, Telling] = {}

    def look(self, now: datetime, *things: Seen, looked: tuple[str, ...] = (LOOK,)) -> Changes:
        found = changes("owner", self.known, things, looked, DAY, now)
        for telling in found.tellings:
            self.known[telling.fingerprint] = telling
            if telling.over_at:
                del self.known[telling.fingerprint]
        return found


def test_each_change_is_told_once() -> None:
    reader, till = Reader(), seen("till")
    assert reader.look(NOON, till).new == {till.fingerprint: ""}
    assert not reader.look(NOON + DAY / 4, till).is_news
    worse = seen("shop", "error"), seen("shop", "critical"), seen("shop", "error")
    told = [reader.look(NOON + DAY / 4, till, each).new for each in worse]
    assert told == [{worse[0].fingerprint: ""}, {worse[0].fingerprint: "error"}, {}]
    assert reader.look(NOON + DAY / 4, till, worse[1]).new == {worse[1].fingerprint: "error"}


def test_what_stays_open_is_told_again_after_the_interval_and_a_little_before() -> None:
    reader, till = Reader(), seen("till")
    reader.look(NOON, till)
    assert reader.look(NOON + DAY * 0.8, till).again == []
    assert reader.look(NOON + DAY - timedelta(minutes=1), till).again == [till.fingerprint]
    assert reader.look(NOON + DAY * 1.5, till).again == []
    assert reader.known[till.fingerprint].since == NOON


def test_over_is_told_once_and_what_comes_back_is_new() -> None:
    reader, till = Reader(), seen("till")
    reader.look(NOON, till)
    assert [t.title for t in reader.look(NOON + DAY / 4).over] == ["till is down"]
    assert not reader.look(NOON + DAY / 2).is_news
    assert reader.look(NOON + DAY, till).new == {till.fingerprint: ""}


def test_only_who_saw_it_can_say_that_it_is_over() -> None:
    reader, till = Reader(), seen("till")
    reader.look(NOON, till)
    assert not reader.look(NOON + DAY / 4, looked=("data-intelligence.validate_data",)).is_news
    assert not reader.look(NOON + DAY / 4, looked=()).is_news
    elsewhere = seen("till", source="data-intelligence.validate_data")
    assert not reader.look(NOON + DAY / 4, elsewhere).is_news
    assert not reader.look(NOON + DAY / 4, looked=(LOOK,)).is_news
    assert reader.look(NOON + DAY / 4, looked=(elsewhere.source,)).over


def test_of_a_state_that_is_no_severity_every_change_is_news() -> None:
    reader = Reader()
    drafts = [Seen("draft-orders/store", state, "drafts", LOOK) for state in ("2f", "2f", "1a")]
    told = [reader.look(NOON, each).new for each in drafts]
    assert told == [{"draft-orders/store": ""}, {}, {"draft-orders/store": "2f"}]
