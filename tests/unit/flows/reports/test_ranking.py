from hypothesis import given
from hypothesis import strategies as st

from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity
from flows.reports.ranking import rank


def finding(name="x", severity=Severity.WARNING, **kwargs):
    return Finding(kind="k", resource=f"r:{name}", severity=severity, title=name, **kwargs)


def test_severity_comes_before_money_and_money_before_name():
    poor_critical = finding("a", Severity.CRITICAL, impact_per_day=1)
    rich_warning = finding("b", impact_per_day=9_000)
    poor_warning = finding("c", impact_per_day=10)
    unknown = finding("d")
    ranked = rank([unknown, poor_warning, rich_warning, poor_critical])
    assert ranked == [poor_critical, rich_warning, poor_warning, unknown]


def test_a_share_of_revenue_becomes_money():
    (priced,) = rank([finding(revenue_share=0.3)], revenue_per_day=20_000)
    assert priced.impact_per_day == 6_000


def test_money_the_agent_measured_is_kept():
    (kept,) = rank([finding(revenue_share=1, impact_per_day=5)], revenue_per_day=20_000)
    assert kept.impact_per_day == 5


def test_without_known_revenue_the_impact_stays_unknown():
    (unpriced,) = rank([finding(revenue_share=1)])
    assert unpriced.impact_per_day is None


def test_one_problem_seen_twice_is_listed_once_at_its_worst():
    mild, bad = finding("a", Severity.WARNING), finding("a", Severity.ERROR)
    assert rank([mild, bad]) == rank([bad, mild]) == [bad]


@given(
    st.lists(
        st.builds(
            finding,
            st.sampled_from("abcdef"),
            st.sampled_from(Severity),
            impact_per_day=st.none() | st.integers(0, 5),
        )
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter_for_the_order_of_problems(findings, random):
    shuffled = list(findings)
    random.shuffle(shuffled)
    key = [(f.fingerprint, f.severity, f.impact_per_day or 0) for f in rank(findings)]
    assert key == [(f.fingerprint, f.severity, f.impact_per_day or 0) for f in rank(shuffled)]
