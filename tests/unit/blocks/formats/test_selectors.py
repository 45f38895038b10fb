"""A watched metric is one series of what a service exposes, or it is said why not."""

from __future__ import annotations

import pytest

from blocks.errors import ConfigurationError, NotFound
from blocks.formats.exposition import read_exposition
from blocks.formats.selectors import Chosen, choose

SEEN = read_exposition(
    "# TYPE queue gauge\nqueue 7\n"
    "# TYPE errors_total counter\n"
    'errors_total{code="500",path="/a b"} 3\nerrors_total{code="502",path="/"} 4\n'
    "# TYPE jobs counter\njobs 12\n"
    "# TYPE took histogram\n"
    'took_bucket{le="1"} 5\ntook_bucket{le="+Inf"} 6\ntook_count 6\ntook_sum 3.5\n'
    '{"shop.orders",status="paid"} 42\n{"shop.orders",status="open"} 3\n'
)


@pytest.mark.parametrize(
    ("expression", "value", "counts"),
    [
        ("queue", 7, False),
        (" queue{} ", 7, False),
        ('errors_total{code="500"}', 3, True),
        ('errors_total{code!="500"}', 4, True),
        ('errors_total{code=~"50[01]"}', 3, True),
        ('errors_total{code!~"50[01]", path="/"}', 4, True),
        ('errors_total{code="500",nothing=""}', 3, True),
        ("sum(errors_total)", 7, True),
        ('sum( errors_total{code=~"5.."} )', 7, True),
        ("jobs", 12, True),
        ("took_count", 6, True),
        ('took_bucket{le="+Inf"}', 6, True),
        ('{"shop.orders",status="paid"}', 42, False),
        ('sum({"shop.orders"})', 45, False),
    ],
)
def test_one_value_is_chosen(expression: str, value: float, counts: bool) -> None:
    assert choose(SEEN, expression) == Chosen(value, counts)


def test_of_several_series_the_labels_are_told() -> None:
    with pytest.raises(ConfigurationError, match="is 2 series") as refused:
        choose(SEEN, "errors_total")
    assert 'errors_total{code="500",path="/a b"}' in refused.value.what
    assert "sum(errors_total)" in refused.value.hint


@pytest.mark.parametrize(
    "expression",
    [
        "rate(queue[5m])",
        "queue / 2",
        "sum by (code) (errors_total)",
        "queue{",
        "queue{a=b}",
        "",
        "{}",
    ],
)
def test_all_else_of_promql_needs_a_prometheus(expression: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read from a service's metrics"):
        choose(SEEN, expression)


def test_what_does_not_fit_is_not_there_and_a_bad_pattern_is_named() -> None:
    with pytest.raises(NotFound):
        choose(SEEN, 'queue{code="500"}')
    with pytest.raises(ConfigurationError, match="no regular expression"):
        choose(SEEN, 'errors_total{code=~"5("}')
