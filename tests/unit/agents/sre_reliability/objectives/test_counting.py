"""Events by the second, from what was measured and from counters that are reset."""

from datetime import UTC, datetime, timedelta

from agents.sre_reliability.objectives.counting import counted, increments, looks

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = int(NOON.timestamp())


def points(*values: float, step: float = 15) -> list[tuple[datetime, float]]:
    return [(NOON + timedelta(seconds=i * step), value) for i, value in enumerate(values)]


def test_looks_of_one_second_are_counted_together():
    columns = looks(points(1, 0, 1, step=0.6), lambda up: up < 1)
    assert [list(column) for column in columns] == [[SECOND, SECOND + 1], [2, 1], [1, 0]]
    assert [list(column) for column in looks([], lambda up: up < 1)] == [[], [], []]


def test_a_counter_that_is_reset_counts_from_0_again():
    grew = [value for _, value in increments(points(100, 130, 5, 25))]
    assert grew == [30, 5, 20]


def test_no_more_are_bad_than_there_are():
    columns = counted(points(10, 0, 4), points(3, 2))
    assert [list(column) for column in columns] == [
        [SECOND, SECOND + 15, SECOND + 30],
        [10, 0, 4],
        [3, 0, 0],
    ]
