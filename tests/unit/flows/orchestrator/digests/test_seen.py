"""What a check saw: who saw it, and who has looked well enough to say that something is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agents.calls import Reply
from agents.data_intelligence.result import Result
from blocks.policy.notify_rules import Audience, NotifyRules
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import AgentMessage, ErrorInfo, Outcome, Severity
from flows.orchestrator.digests.seen import look_of
from flows.reports.model import Report

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
DOWN = Finding(
    kind="service-down", resource="service:till", severity=Severity.CRITICAL, title="till is down"
)


class Looked(Result):
    missing: list[str] = []  # noqa: RUF012  pydantic copies it


def report(*findings: Finding, outcome: Outcome = Outcome.SUCCEEDED) -> Report:
    return Report(
        workflow="daily-health-check",
        title="Daily health check",
        run_id="r1",
        started_at=NOW,
        finished_at=NOW,
        outcome=outcome,
        headline="Fine.",
        findings=list(findings),
    )


def reply(action: str, result: Any = None) -> Reply:
    asked = AgentMessage(**{"from": "o", "to": "sre-reliability", "action": action})
    error = None if result else ErrorInfo(code="source-timeout", what="It is slow.")
    return Reply(asked, result, error)


def test_who_failed_or_lacked_data_can_say_of_nothing_that_it_is_over() -> None:
    look = look_of(
        report(DOWN),
        [
            reply("whole", Looked(findings=[DOWN])),
            reply("partial", Looked(missing=["the metrics of till"])),
            reply("failed"),
        ],
    )
    assert look.looked == {"sre-reliability.whole", "workflow:daily-health-check"}
    (seen,) = look.seen_by("owner", NotifyRules(audiences={"owner": Audience()}))
    assert (seen.source, seen.state) == ("sre-reliability.whole", "critical")


def test_of_who_answered_twice_the_last_answer_counts() -> None:
    look = look_of(report(), [reply("look", Looked()), reply("look")])
    assert "sre-reliability.look" not in look.looked


def test_a_check_that_came_to_nothing_is_news_and_ends_nothing() -> None:
    look = look_of(report(outcome=Outcome.FAILED), [reply("look")])
    assert list(look.findings) == ["check-failed/workflow:daily-health-check"]
    assert look.looked == frozenset()
