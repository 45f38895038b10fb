"""What is left of an error budget, until when, and how that is told."""

from datetime import UTC, datetime, timedelta

import pytest

from agents.sre_reliability.objectives.promises import objectives_in_force
from agents.sre_reliability.objectives.standing import stand
from agents.sre_reliability.objectives.traffic import Bucket, Traffic
from agents.sre_reliability.objectives.words import told
from blocks.business.services import MonitoredService
from blocks.policy.watching.objective_rules import Loudness, Objective, ObjectiveRules
from flows.reports.objectives import bar, objectives

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
DAY = 86400
PROMISE = Objective(name="checkout", target="service:checkout", objective=0.99, days=10)


def hourly(bad_hours_ago: dict[int, int], days: int = 10) -> Traffic:
    """100 events an hour; so many of those that were some hours ago were bad."""
    traffic = Traffic()
    for ago in range(24 * days, -1, -1):
        traffic.add(Bucket(AT - 3600 * ago, 100, bad_hours_ago.get(ago, 0)))
    return traffic


def test_the_budget_that_is_left_and_its_course():
    # 24,000 events, of which 240 may be bad; 60 were, five days ago.
    standing = stand(PROMISE, hourly({5 * 24: 60}), NOW)
    assert standing.budget_left == pytest.approx(0.75, abs=0.001)
    assert standing.good_share == 1 - 60 / 24_000
    assert [round(share, 2) for share in standing.course] == [1.0] * 4 + [0.75] * 6
    assert standing.calls is None
    assert standing.empty_at is None
    assert standing.known_days == pytest.approx(10, abs=0.05)


def test_a_fast_burn_says_until_when_and_since_when():
    standing = stand(PROMISE, hourly({0: 20}), NOW)
    assert standing.calls is Loudness.PAGE
    assert standing.pace == pytest.approx(20)
    assert standing.budget_left == pytest.approx(1 - 20 / 240, abs=0.001)
    # What is left of ten days, at twenty times the pace.
    left = timedelta(days=10 * standing.budget_left / 20)
    assert abs(standing.empty_at - NOW - left) < timedelta(seconds=1)
    assert standing.since == NOW
    assert "20.0 times as fast as allowed" in told(standing)


def test_a_spent_budget_is_never_emptied_again():
    standing = stand(PROMISE, hourly({100: 100, 101: 100, 102: 100}), NOW)
    assert standing.is_spent
    assert standing.empty_at is None
    assert "all of it is spent, and 25% more" in told(standing)


def test_of_what_nothing_is_known_nothing_is_said():
    standing = stand(PROMISE, Traffic(), NOW)
    assert (standing.budget_left, standing.good_share, standing.last) == (None, None, None)
    assert "nothing is known of it yet" in told(standing)
    [row] = objectives([standing], "UTC").tables[0].rows
    assert row[2:4] == ["—", "nothing known"]


def test_the_unknown_part_of_the_days_counts_as_good_and_is_said():
    standing = stand(PROMISE, hourly({5: 25}, days=1), NOW)
    assert standing.good_share == 0.99
    assert standing.budget_left == pytest.approx(0.9, abs=0.01)
    assert "of 10 days are known" in objectives([standing], "UTC").tables[0].note


def test_every_service_that_nobody_spoke_of_is_promised_to_be_available():
    services = [MonitoredService(name=n, health_url="http://127.0.0.1:1/") for n in ("a", "b")]
    mine = Objective(name="mine", target="service:a", objective=0.9999)
    found = objectives_in_force(services, ObjectiveRules(own=(mine,)))
    assert [(each.name, each.objective) for each in found] == [
        ("mine", 0.9999),
        ("b-availability", 0.995),
    ]
    assert objectives_in_force(services, ObjectiveRules(services=None)) == []


def test_the_section_draws_what_was_spent_alone():
    quiet, burning = stand(PROMISE, hourly({}), NOW), stand(PROMISE, hourly({0: 20}), NOW)
    assert objectives([quiet], "UTC").charts == []
    section = objectives([burning, quiet], "UTC")
    assert section.text == "2 objectives: 1 burning too fast, 0 without error budget left."
    [chart] = section.charts
    assert len(chart.x) == len(chart.series["checkout"]) == 10
    assert chart.x[-1] == "2026-03-01"
    assert section.tables[0].rows[0][5].startswith("page: 20.0× in 1 h")


def test_bars():
    assert bar(0.5) == "█████░░░░░"
    assert bar(-0.2) == "░" * 10
