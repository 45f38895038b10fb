"""An exposition is read line by line, as Prometheus' own parsers read it where they can."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as by_openmetrics
from prometheus_client.parser import text_string_to_metric_families as by_text

from blocks.formats.exposition import read_exposition

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        ("a 1", ("a", 1)),
        ("a:b_c9\t-1.5e3\t123", ("a:b_c9", -1500)),
        ("a{} 1", ("a", 1)),
        ('a{x="y"}1', ('a{x="y"}', 1)),
        ('a {x="y" , z="w",}\t3', ('a{x="y",z="w"}', 3)),
        ('a{x="}"} 1', ('a{x="}"}', 1)),
        ('a{"any label"="y"} 1', ('a{"any label"="y"}', 1)),
        ('{"a.b"} 1', ('{"a.b"}', 1)),
        ('{ "a.b" , x="y" } 1', ('{"a.b",x="y"}', 1)),
        ("a 1 1764391200.5", ("a", 1)),
        ('a 1 # {trace="x"} 2', ("a", 1)),
        ('a{x=" # "} 1 5 # {trace="x"} 2 3', ('a{x=" # "}', 1)),
        ("a 1 # an exemplar gone wrong {", ("a", 1)),
        ("a 9.3e12\r", ("a", 9.3e12)),
    ],
)
def test_what_the_formats_allow_is_read(line: str, sample: tuple[str, float]) -> None:
    seen = read_exposition(f"{line}\n")
    assert (seen.samples, seen.lines, seen.problem) == (dict([sample]), 1, "")


@pytest.mark.parametrize(
    "line",
    [
        "<html>",
        "a",
        "a one",
        "a 1_000",
        "a 1 2 3",
        "9a 1",
        "é 1",
        '{x="y"} 1',
        "{} 1",
        'a{"b"} 1',
        "a{b} 1",
        'a{x="y",,} 1',
        'a{x="y} 1',
        'a{x="y"}{x="y"} 1',
        'a{x="y"} {count:1}',
    ],
)
def test_a_line_that_is_no_sample_costs_that_line_alone(line: str) -> None:
    seen = read_exposition(f"# before\nb 1\n{line}\nc 2\n")
    assert seen.samples == {"b": 1, "c": 2}
    assert (seen.lines, seen.unread) == (3, 1)
    assert seen.problem == f"1 of 3 lines are no samples, the first of them line 3: {line!r}"


@pytest.mark.parametrize("value", ["NaN", "nan", "+Inf", "-Inf", "Inf", "1e999"])
def test_what_is_no_finite_number_is_left_out_and_is_no_fault(value: str) -> None:
    seen = read_exposition(f"a {value}\n")
    assert (seen.samples, seen.problem) == ({}, "")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=6))
def test_any_label_value_is_read_as_prometheus_reads_it(values: dict[str, float]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("g", "A gauge.", ["label"], registry=registry)
    for label, value in values.items():
        gauge.labels(label).set(value)
    text = generate_latest(registry).decode()
    theirs = {
        f'g{{label="{escaped(sample.labels["label"])}"}}': sample.value
        for family in by_text(text)
        for sample in family.samples
        if math.isfinite(sample.value)
    }
    seen = read_exposition(text)
    assert seen.samples == theirs
    assert seen.problem == ""


def test_openmetrics_with_exemplars_is_read_as_prometheus_reads_it() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("h_seconds", "A histogram.", ["q"], registry=registry)
    Counter("c", "A counter.", registry=registry).inc(3, exemplar={"trace_id": "abc"})
    for second in (0.01, 0.4, 40.0):
        histogram.labels('a "b" \\ } # c').observe(second, exemplar={"trace_id": f"t{second}"})
    text = openmetrics.generate_latest(registry).decode()
    assert " # {" in text
    theirs = [sample for family in by_openmetrics(text) for sample in family.samples]
    seen = read_exposition(text)
    assert sorted(seen.samples.values()) == sorted(sample.value for sample in theirs)
    assert len(seen.samples) == len(theirs)
    assert seen.problem == ""


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('a_{}"\\=, \t\n#1.é'), max_size=40))
def test_anything_at_all_is_read_or_counted(text: str) -> None:
    seen = read_exposition(text)
    assert seen.unread <= seen.lines
    assert bool(seen.problem) == bool(seen.unread)
    assert len(seen.samples) <= seen.lines - seen.unread


def test_a_sample_with_two_values_is_none_and_is_told() -> None:
    seen = read_exposition("a 1\nb 2\na 3\nb 2\n")
    assert seen.samples == {"b": 2}
    assert "two values of a" in seen.problem


def test_openmetrics_that_lacks_its_end_may_be_cut_off_within_a_number() -> None:
    whole = "a_total 1\nb_total 4200\n# EOF\n"
    assert read_exposition(whole, openmetrics=True).problem == ""
    assert read_exposition(whole.rstrip(), openmetrics=True).problem == ""
    cut = read_exposition(whole[:22], openmetrics=True)
    assert (cut.samples, "without # EOF" in cut.problem) == ({"a_total": 1}, True)
    assert read_exposition(whole[:22]).samples == {"a_total": 1, "b_total": 4200}


def test_what_counts_is_known_by_its_type() -> None:
    seen = read_exposition(
        "# TYPE a counter\na 1\n# TYPE b histogram\nb_count 2\nb_sum 1\n# TYPE c gauge\nc 3\n"
        '# TYPE "d.e" counter\n{"d.e"} 1\nf_total 2\n'
    )
    counting = {
        name for name in ("a", "b_count", "b_sum", "c", "d.e", "f_total") if seen.is_counter(name)
    }
    assert counting == {"a", "b_count", "b_sum", "d.e", "f_total"}
