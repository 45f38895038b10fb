"""The figures that the rules of the SRE workbook give for 99.9% over 30 days."""

from fractions import Fraction

import pytest

from agents.sre_reliability.objectives.burning import BurnAlerts, Change, burn_rate
from agents.sre_reliability.objectives.traffic import Bucket, Sums
from blocks.policy.watching.objective_rules import Objective

START = 1_800_000_000
FAST, MEDIUM, SLOW, SLOWEST = range(4)
"""The rules in their order: 14.4, 6, 3 and 1."""


def promised(share: float = 0.999, least_bad: int = 0) -> Objective:
    return Objective(
        name="checkout", target="service:checkout", objective=share, least_bad=least_bad
    )


def outage(seconds: int, *, before: int, after: int, bad_of_ten: int = 10) -> list[Change]:
    """Ten requests a second; seconds of changes count from the outage's first second as 1."""
    alerts = BurnAlerts(promised())
    for second in range(-before, seconds + after):
        bad = bad_of_ten if 0 <= second < seconds else 0
        alerts.add(Bucket(START + second, 10, bad))
    alerts.advance(START + seconds + after - 1)
    return [Change(c.second - START + 1, c.rule, c.fires) for c in alerts.changes]


def begins(changes: list[Change], rule: int) -> int | None:
    return next((c.second for c in changes if c.rule == rule and c.fires), None)


def ends(changes: list[Change], rule: int) -> int | None:
    return next((c.second for c in changes if c.rule == rule and not c.fires), None)


@pytest.mark.parametrize("before", [0, 1, 100, 3600])
def test_a_total_outage_pages_after_52_seconds_whatever_is_known_of_the_time_before(before):
    assert begins(outage(200, before=before, after=0), FAST) == 52


@pytest.mark.parametrize("before", [0, 3600])
def test_ten_percent_errors_page_after_519_seconds(before):
    seen = outage(600, before=before, after=0, bad_of_ten=1)
    assert begins(seen, FAST) == 519


def test_an_outage_of_30_seconds_pages_nobody():
    assert outage(30, before=0, after=7200) == []


def test_the_fast_page_resets_296_seconds_after_recovery():
    seen = outage(60, before=0, after=1000)
    assert ends(seen, FAST) == 60 + 296
    assert begins(seen, MEDIUM) is None


def test_an_outage_of_130_seconds_is_held_by_the_slower_page_for_1790_seconds():
    seen = outage(130, before=0, after=4000)
    assert begins(seen, MEDIUM) == 130
    assert ends(seen, FAST) == 130 + 296
    assert ends(seen, MEDIUM) == 130 + 1790
    assert begins(outage(129, before=0, after=4000), MEDIUM) is None


def test_tickets_come_later_than_pages_and_need_no_page():
    # 0.35% of errors burn at 3.5: a day's window exceeds 3 after 3/3.5 of a day, the slowest
    # rule's 1 after 1/3.5 of three days; nobody is woken.
    alerts = BurnAlerts(promised())
    for second in range(0, 86400, 20):
        alerts.add(Bucket(START + second, 2000, 7))
    alerts.advance(START + 86399)
    assert {c.rule for c in alerts.changes} == {SLOW, SLOWEST}


def test_both_windows_must_exceed_strictly():
    # A burn of 14.4 exactly: 144 of 10,000 in every second.
    alerts = BurnAlerts(promised())
    for second in range(7200):
        alerts.add(Bucket(START + second, 10_000, 144))
    alerts.advance(START + 7199)
    assert FAST not in {c.rule for c in alerts.changes}
    alerts.add(Bucket(START + 7200, 10_000, 145))
    alerts.advance(START + 7200)
    assert alerts.changes[-1] == Change(START + 7200, FAST, True)


def test_one_of_two_requests_at_night_is_no_outage():
    for least_bad, pages in ((0, True), (5, False)):
        alerts = BurnAlerts(promised(least_bad=least_bad))
        alerts.add(Bucket(START, 1, 0))
        alerts.add(Bucket(START + 7200, 1, 1))
        alerts.advance(START + 7300)
        assert bool(alerts.changes) is pages


def test_with_so_many_bad_ones_the_least_number_changes_nothing():
    alerts = BurnAlerts(promised(least_bad=5))
    for second in range(60):
        alerts.add(Bucket(START + second, 1, 1))
    alerts.advance(START + 59)
    assert begins(alerts.changes, FAST) == START + 51


def test_what_nobody_saw_counts_as_time_without_errors():
    # Nothing was seen for an hour: each bucket speaks for a second alone.
    alerts = BurnAlerts(promised(), holds=1)
    for second in (*range(100), *range(3700, 3900)):
        alerts.add(Bucket(START + second, 10, 10 if second >= 3700 else 0))
    alerts.advance(START + 3899)
    assert begins(alerts.changes, FAST) == START + 3700 + 51


def in_order_and_not(events: list[Bucket], order: list[int]) -> tuple[list[Change], list[Change]]:
    straight, crooked = BurnAlerts(promised()), BurnAlerts(promised())
    for bucket in events:
        straight.add(bucket)
    straight.advance(events[-1].second)
    for i in order:
        assert crooked.add(events[i])
        crooked.advance(events[i].second)
    crooked.advance(events[-1].second)
    return straight.changes, crooked.changes


def test_what_comes_late_is_judged_in_its_second():
    events = [Bucket(START + s, 10, 10 if 50 <= s < 150 else 0) for s in range(600)]
    # All of the outage comes after everything else, its last second first.
    order = [*range(50), *range(150, 600), *reversed(range(50, 150))]
    straight, crooked = in_order_and_not(events, order)
    assert straight
    assert crooked == straight


def test_late_good_news_takes_a_page_back():
    alerts = BurnAlerts(promised())
    for second in range(100):
        alerts.add(Bucket(START + second, 1, 1))
    alerts.advance(START + 99)
    assert begins(alerts.changes, FAST) == START + 51
    for second in range(100):
        alerts.add(Bucket(START + second, 99, 0))
    alerts.advance(START + 99)
    assert alerts.changes == []


def test_what_comes_too_late_is_not_counted_and_said_so():
    alerts = BurnAlerts(promised(), lateness=60)
    alerts.add(Bucket(START, 1, 0))
    alerts.advance(START + 1000)
    assert not alerts.add(Bucket(START + 939, 1000, 1000))
    assert alerts.add(Bucket(START + 940, 1000, 1000))


def test_a_clock_that_goes_back_judges_nothing_twice():
    alerts = BurnAlerts(promised())
    for second in range(100):
        alerts.add(Bucket(START + second, 1, 1))
    alerts.advance(START + 99)
    seen = list(alerts.changes)
    alerts.advance(START + 40)
    assert alerts.changes == seen


def test_a_burn_rate_is_exact():
    assert burn_rate(Sums(1000, 1, 3600), 3600, Fraction(1, 1000)) == 1
    assert burn_rate(Sums(1000, 1, 1800), 3600, Fraction(1, 1000)) == Fraction(1, 2)
    assert burn_rate(Sums(0, 0, 0), 3600, Fraction(1, 1000)) == 0
