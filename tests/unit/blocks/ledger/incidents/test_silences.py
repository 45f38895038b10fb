"""Which incidents a silence fits, and when it counts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.incidents.silences import SilenceRecord, Weekday, Weekly, covering

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def incident(**fields: Any) -> IncidentRecord:
    given = {"need_key": "k", "resource": "service:checkout", "severity": "error", "title": "Ill"}
    given |= {"type": "alert.Down", "labels": {"team": "shop"}}
    return IncidentRecord(**given | {"opened_at": NOON, "updated_at": NOON} | fields)


def silence(**fields: Any) -> SilenceRecord:
    given = {"reason": "We deploy.", "by": "ann", "made_at": NOON, "starts_at": NOON}
    return SilenceRecord(**given | {"ends_at": NOON + timedelta(hours=1)} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"resource": "service:*"},
        {"resource": "service:check?ut", "type": "alert.*", "severity": "error"},
        {"labels": {"team": "sh*"}},
        {"severity": "*r*r*"},
    ],
)
def test_it_fits(fields: dict[str, Any]) -> None:
    assert silence(**fields).fits(incident())


@pytest.mark.parametrize(
    "fields",
    [
        {"resource": "service:check"},
        {"resource": "SERVICE:checkout"},
        {"type": "alert"},
        {"severity": "warning"},
        {"labels": {"team": "shop", "zone": "*"}},
        {"labels": {"team": "ops"}},
    ],
)
def test_it_does_not_fit(fields: dict[str, Any]) -> None:
    assert not silence(**fields).fits(incident())


def test_it_counts_from_its_beginning_until_its_end() -> None:
    one = silence()
    instants = [NOON - timedelta(seconds=1), NOON, NOON + timedelta(minutes=59), one.ends_at]
    assert [one.counts(at) for at in instants] == [False, True, True, False]


def test_hours_of_the_week_go_by_the_clocks_of_their_zone() -> None:
    hours = Weekly(days=["sun"], begins=time(2), ends=time(4), timezone="Europe/Berlin")
    one = silence(weekly=hours, ends_at=NOON + timedelta(days=60))
    winter = datetime(2026, 3, 8, 1, 30, tzinfo=UTC)  # 02:30 in Berlin
    summer = datetime(2026, 4, 5, 1, 30, tzinfo=UTC)  # 03:30
    assert [one.counts(at) for at in (winter, summer)] == [True, True]
    assert not one.counts(winter - timedelta(hours=1))
    assert not one.counts(summer + timedelta(hours=1))
    assert not one.counts(winter + timedelta(days=1))


def test_hours_over_midnight_are_of_the_day_on_which_they_begin() -> None:
    hours = Weekly(days=[Weekday.SAT], begins=time(22), ends=time(2), timezone="UTC")
    saturday = datetime(2026, 3, 7, tzinfo=UTC)
    assert hours.covers(saturday + timedelta(hours=23))
    assert hours.covers(saturday + timedelta(hours=25))
    assert not hours.covers(saturday + timedelta(hours=1)), "that is Friday's night"
    assert not hours.covers(saturday + timedelta(hours=26))


def test_what_covers_everything_is_known() -> None:
    assert silence().covers_everything
    assert silence(resource="**").covers_everything
    assert not silence(resource="?*").covers_everything
    assert not silence(labels={"team": "*"}).covers_everything
    assert silence().about == "everything"
    assert silence(type="disk.*", labels={"team": "shop"}).about == "type disk.*, team=shop"


def test_of_several_that_cover_it_maintenance_counts_then_the_longest() -> None:
    short = silence(id="a", maintenance=True)
    longer = silence(id="b", ends_at=NOON + timedelta(hours=9))
    assert covering([longer, short], incident(), NOON) == short
    assert covering([longer, silence(id="c")], incident(), NOON) == longer
    assert covering([longer], incident(resource="host:a"), NOON) == longer
    assert covering([silence(resource="host:*")], incident(), NOON) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"severity": "crtical"}, "there are info, warning, error, critical"),
        ({"reason": ""}, "reason"),
        ({"resource": ""}, "resource"),
        ({"weekly": {"days": [], "begins": "02:00", "ends": "03:00", "timezone": "UTC"}}, "days"),
        (
            {"weekly": {"days": ["mon"], "begins": "02:00", "ends": "03:00", "timezone": "Mars"}},
            "no time zone 'Mars'",
        ),
        (
            {"weekly": {"days": ["mon"], "begins": "02:00Z", "ends": "03:00", "timezone": "UTC"}},
            "have no zone",
        ),
    ],
)
def test_what_means_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        silence(**fields)
