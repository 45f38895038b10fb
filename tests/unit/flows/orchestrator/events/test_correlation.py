"""Which events belong together, however they come in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.policy.event_rules import EventRules
from blocks.vocabulary.messages import Priority, Severity, SystemEvent
from flows.orchestrator.events.correlation import correlate
from flows.orchestrator.events.incident import Correlated, Known

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = EventRules(
    window_seconds=60,
    topology={
        "service:web": ["service:checkout", "service:search"],
        "service:checkout": ["store:shop"],
        "loop:a": ["loop:b"],
        "loop:b": ["loop:a"],
    },
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(name: str, subject: str, seconds: float = 0, **fields: Any) -> SystemEvent:
    given = {"id": name, "source": "monitor", "type": "latency.high", "severity": "error"}
    return SystemEvent(**given | {"subject": subject, "time": at(seconds)} | fields)


def joined(*events: SystemEvent, known: list[Known] | None = None) -> list[Correlated]:
    return correlate(events, RULES, at(100), known or [])


def groups(found: list[Correlated]) -> dict[str, str]:
    return {one.resource: "".join(e.id for e in one.events) for one in found}


def test_one_resource_within_the_window_is_one_incident() -> None:
    found = joined(
        event("a", "service:x"), event("b", "service:x", 60), event("c", "service:x", 121)
    )
    assert sorted("".join(e.id for e in one.events) for one in found) == ["ab", "c"]
    (pair,) = (one for one in found if len(one.events) == 2)
    assert pair.why == (
        "2 events are about service:x, within 60 s of each other; they say 1 different thing.",
    )
    assert pair.title == "service x: latency high, told by 2 events"


@pytest.mark.parametrize("year", [1, 9999])
def test_an_instant_at_the_end_of_the_calendar_is_one(year: int) -> None:
    odd = event("a", "service:web", time=datetime(year, 1, 1, tzinfo=UTC))
    found = joined(odd, event("b", "service:web"), event("c", "store:shop", 10))
    assert Counter(e.id for one in found for e in one.events) == Counter("abc")


def test_an_event_without_subject_is_about_its_source() -> None:
    assert groups(joined(event("a", "", source="//host/7"))) == {"//host/7": "a"}


def test_trouble_below_explains_trouble_above_through_what_is_well() -> None:
    found = joined(event("a", "service:web"), event("b", "store:shop", 30))
    assert groups(found) == {"store:shop": "ab"}
    assert found[0].affected == ("service:web",)
    assert found[0].title == (
        "store shop: latency high, told by 2 events; it explains trouble with service web"
    )
    assert found[0].lead.id == "b"
    assert found[0].candidates == (
        {
            "name": "service:web",
            "severity": "error",
            "lost_because": "explained by what it depends on",
        },
    )


def test_of_two_causes_the_worse_one_explains() -> None:
    found = joined(
        event("a", "service:web"),
        event("b", "service:search"),
        event("c", "store:shop", 9, severity="critical"),
    )
    assert groups(found) == {"store:shop": "ac", "service:search": "b"}
    assert found[0].resource == "store:shop", "the most urgent first"
    assert found[0].urgency.priority is Priority.CRITICAL
    assert {c["name"]: c["lost_because"] for c in found[0].candidates} == {
        "service:web": "explained by what it depends on",
        "service:search": "less severe, later, or later by name",
    }


def test_news_explains_nothing_and_trouble_far_away_neither() -> None:
    news = event("b", "store:shop", severity="info")
    assert len(joined(event("a", "service:web"), news)) == 2
    assert len(joined(event("a", "service:web"), event("b", "store:shop", 61))) == 2


def test_a_circle_of_dependencies_is_one_incident() -> None:
    assert groups(joined(event("x", "loop:b"), event("y", "loop:a", 1))) == {"loop:b": "xy"}


def known(**fields: Any) -> Known:
    given = {"id": "s", "resource": "store:shop", "severity": "error"}
    given |= {"opened_at": at(0), "since": at(10)}
    return Known(**given | {"severity": Severity(fields.pop("severity", "error"))} | fields)


def test_a_known_incident_takes_up_what_it_covers() -> None:
    def joins(one: SystemEvent, incident: Known) -> bool:
        (found,) = joined(one, known=[incident])
        return found.known == "s"

    assert joins(event("a", "store:shop", 5), known())
    assert joins(event("a", "service:web", 50), known()), "explained from below"
    assert not joins(event("a", "service:search", 5), known()), "not below it"
    assert not joins(event("a", "service:web", 5, severity="info"), known()), "news"
    assert not joins(event("a", "store:shop", 61), known()), "too late"
    assert not joins(event("a", "store:shop", 5, severity="critical"), known()), "worse"
    assert joins(event("a", "store:shop", 10), known(over=True)), "before the response began"
    assert not joins(event("a", "store:shop", 11), known(over=True)), "mended, and ill again"


def test_one_that_stands_takes_up_what_it_was_told_at_any_time() -> None:
    def joins(one: SystemEvent, incident: Known) -> bool:
        (found,) = joined(one, known=[incident])
        return found.known == "s"

    said = event("a", "store:shop")
    stands = known(severity="warning", opened_at=at(-9999), things=frozenset({said.fingerprint}))
    assert joins(said, stands)
    assert joins(event("b", "store:shop", severity="critical"), stands), "worse: it is open again"
    assert not joins(event("c", "store:shop", type="other"), stands), "it says something else"
    assert not joins(event("d", "service:web"), stands)


def test_an_alert_that_fires_is_none_of_what_is_over() -> None:
    fires = event("a", "store:shop", 5, data={"status": "firing", "fingerprint": "f"})
    (found,) = joined(fires, known=[known()])
    assert found.known == "s"
    (found,) = joined(fires, known=[known(ended=True)])
    assert found.known is None
    (found,) = joined(event("b", "store:shop", 5), known=[known(ended=True)])
    assert found.known == "s", "a statement is covered by the response that was given"


def test_of_equal_severity_what_puts_more_money_at_risk_is_more_urgent() -> None:
    events = [event("a", "service:checkout"), event("b", "sku:1"), event("c", "service:search")]
    at_risk = {"service:checkout": 10.0, "service:search": 500.0, "store:shop": 9999.0}
    found = correlate(events, RULES, at(100), at_risk=at_risk)
    assert [one.resource for one in found] == ["service:search", "service:checkout", "sku:1"]
    assert "500 per hour at risk: 22" in found[0].urgency.reasons
    # Of trouble that another explains, too; not of news.
    events = [event("a", "store:shop"), event("b", "service:web")]
    (whole,) = correlate(events, RULES, at(100), at_risk={"service:web": 7.0})
    assert whole.resource == "store:shop"
    assert "7 per hour at risk" in " ".join(whole.urgency.reasons)
    (news,) = correlate(
        [event("a", "service:search", severity="info")], RULES, at(100), at_risk=at_risk
    )
    assert "at risk" not in " ".join(news.urgency.reasons)


EVENTS = st.lists(
    st.builds(
        event,
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from([*RULES.topology, "store:shop", "service:search", "sku:1", ""]),
        st.integers(0, 200),
        severity=st.sampled_from(Severity),
        data=st.fixed_dictionaries({"n": st.integers(0, 1)}),
    ),
    max_size=14,
    unique_by=lambda e: e.id,
)


@given(events=EVENTS, data=st.data())
def test_the_order_of_arrival_changes_nothing_and_nothing_is_lost(
    events: list[SystemEvent], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*events, *events[:3]]))
    found = joined(*events)
    assert joined(*shuffled) == found
    assert Counter(e.id for one in found for e in one.events) == Counter(e.id for e in events)
    assert len({one.need_key for one in found}) == len(found)
    for one in found:
        assert one.severity.rank == max(e.severity.rank for e in one.events)
        assert one.lead in one.events
        assert one.why or len(one.events) == 1
