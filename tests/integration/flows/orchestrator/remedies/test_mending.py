"""The daily health check mends what it may mend, once, and knows whether it helped."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest
from prefect import flow

from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity
from flows.daily_health_check import daily_health_check
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.team.opening import workflow_run
from tests.integration.flows.seen import assert_nothing_half_written, ran
from tests.integration.flows.shop import SICK

pytestmark = pytest.mark.prefect

CHECKOUT = "service:checkout"


def about(report, resource):
    """The findings about a resource, and what was done about them."""
    findings = [finding for finding in report.findings if finding.resource == resource]
    return findings, [report.remediation_of(finding) for finding in findings]


def state_of(report, service):
    """A service's state in the report's section about systems."""
    (systems,) = (s for s in report.sections if s.title.startswith("Systems"))
    return next(row[1] for row in systems.tables[0].rows if row[0] == service)


async def test_what_fails_is_named_and_what_can_be_mended_is_mended(shop, ledger, caplog):
    shop.break_checkout()
    shop.answers["globex"] = SICK
    state, report = await ran(daily_health_check)
    assert state.name == "Partial"
    assert state.is_completed()
    assert "Traceback" not in caplog.text

    (broken,), (remedy,) = about(report, CHECKOUT)
    assert (broken.kind, broken.severity) == ("service-failing", Severity.CRITICAL)
    assert broken.impact_per_day > 0, "half of the revenue depends on it"
    assert report.findings[0] == broken, "the worst comes first"
    assert remedy.status is EffectVerdict.VERIFIED
    assert remedy.detail == "checkout was failing; it was restarted and answers well."
    assert shop.restarts == 1
    assert state_of(report, "checkout") == "ok", "the state in which things are left"
    assert "1 mended and verified" in report.headline

    (away,), (nothing,) = about(report, "supplier:globex")
    assert (away.kind, nothing) == ("supplier-unreachable", None)
    assert any("globex" in line and "HTTP 500" in line for line in report.missing)
    assert not any("acme" in line for line in report.missing)

    (kept,) = await ledger.effects.acts(run_id=report.run_id)
    assert (kept.outcome.verdict, kept.target) == (EffectVerdict.VERIFIED, CHECKOUT)
    assert kept.kind == "sre-reliability.restart_service"
    assert (kept.outcome.before["condition"], kept.outcome.after["condition"]) == ("failing", "ok")
    calls = await ledger.calls(run_id=report.run_id)
    (restart,) = (call for call in calls if call.action == "restart_service")
    assert (restart.payload, restart.priority) == ({"service": "checkout"}, 4)
    (tried,) = (call for call in calls if call.payload.get("source") == "globex")
    assert tried.attempts == 1, "its three tries are one call's"
    asked = [request.path for request in shop.requests if request.path.startswith("/globex")]
    assert len(asked) == 3 + 1, "and the look at its connection"
    await assert_nothing_half_written(ledger, report)


async def test_nothing_is_touched_when_only_a_report_was_asked_for(shop, ledger):
    shop.break_checkout()
    _, report = await ran(daily_health_check, remediate_issues=False)
    (broken,), (nothing,) = about(report, CHECKOUT)
    assert broken.remedy is not None
    assert nothing is None
    assert report.remediations == []
    assert await ledger.effects.acts() == []
    assert shop.restarts == 0
    assert state_of(report, "checkout") == "failing"


async def test_a_restart_that_does_not_help_says_so_and_is_not_repeated_at_once(shop, ledger):
    shop.break_checkout(for_good=True)
    _, report = await ran(daily_health_check)
    _, (remedy,) = about(report, CHECKOUT)
    assert remedy.status is EffectVerdict.INEFFECTIVE
    assert remedy.detail == "checkout was restarted and is still failing: HTTP 500"
    assert "mended" not in report.headline
    assert state_of(report, "checkout") == "failing"

    _, again = await ran(daily_health_check)
    _, (refused,) = about(again, CHECKOUT)
    assert refused.status is None
    assert refused.detail.startswith("backoff: The last remediation did not help")
    assert shop.restarts == 1
    assert len(await ledger.effects.acts()) == 1


async def test_what_fails_again_within_minutes_was_not_cured_by_a_restart(shop):
    shop.break_checkout()
    await ran(daily_health_check)
    shop.break_checkout()
    _, report = await ran(daily_health_check)
    _, (refused,) = about(report, CHECKOUT)
    assert refused.status is None
    assert refused.detail.startswith("recently-remediated: ")
    assert shop.restarts == 1


async def test_two_checks_at_the_same_moment_restart_once(shop, ledger):
    shop.break_checkout(for_good=True)
    (_, one), (_, other) = await asyncio.gather(ran(daily_health_check), ran(daily_health_check))
    lines = [about(report, CHECKOUT)[1][0] for report in (one, other)]
    assert {line.status for line in lines} == {EffectVerdict.INEFFECTIVE, None}
    (refused,) = (line for line in lines if line.status is None)
    assert refused.detail.partition(":")[0] in ("duplicate-in-progress", "backoff")
    assert shop.restarts == 1
    assert len(await ledger.effects.acts()) == 1
    await assert_nothing_half_written(ledger, one, other)


RESTART = Remedy(agent="sre-reliability", action="restart_service", params={"service": "checkout"})


def finding(kind="service-failing", remedy=RESTART):
    return Finding(
        kind=kind, resource=CHECKOUT, severity=Severity.ERROR, title="It fails.", remedy=remedy
    )


@flow
async def mending(*findings_of_a_run):
    """As many runs as arguments, each of which mends its findings, all at once."""

    async def one(findings):
        async with workflow_run("mending") as team:
            return await remediate(team, findings)

    return await asyncio.gather(*map(one, findings_of_a_run))


async def test_runs_that_decide_in_the_same_instant_agree_on_one_of_them(shop, ledger):
    shop.break_checkout(for_good=True)
    everyone = await mending(*[[finding()]] * 5)
    lines = [line for (line,) in everyone]
    assert (
        sorted(line.detail.partition(":")[0] for line in lines if line.status is None)
        == ["duplicate-in-progress"] * 4
    )
    assert shop.restarts == 1


async def test_two_problems_with_one_remedy_share_one_run_of_it(shop, ledger):
    shop.break_checkout(for_good=True)
    ((first, second),) = await mending([finding(), finding("service-slow")])
    assert first.status is second.status is EffectVerdict.INEFFECTIVE
    assert (first.finding, second.finding) == (
        "service-failing/service:checkout",
        "service-slow/service:checkout",
    )
    assert shop.restarts == 1
    assert len(await ledger.effects.acts()) == 1


async def test_a_resource_gets_one_remedy_at_a_time(shop, ledger):
    shop.break_checkout()
    other = Remedy(agent="sre-reliability", action="refetch_snapshot")
    (lines,) = await mending([finding(), finding("service-slow", other)])
    (refused,) = (line for line in lines if line.status is None)
    assert refused.detail.partition(":")[0] in ("resource-busy", "recently-remediated")
    assert len(await ledger.effects.acts()) == 1


async def test_a_remedy_that_breaks_off_has_failed_and_that_is_on_record(shop, ledger):
    gone = Remedy(agent="sre-reliability", action="restart_service", params={"service": "gone"})
    ((line,),) = await mending([finding(remedy=gone)])
    assert line.status is EffectVerdict.FAILED
    assert line.detail == "There is no service 'gone'."
    (kept,) = await ledger.effects.acts()
    assert (kept.status, kept.outcome.verdict) == (EffectStatus.REFUSED, line.status)
    assert kept.outcome.detail == line.detail
    assert kept.finished_at is not None


async def test_the_report_prints_the_end_of_the_chain_of_receipts(shop, ledger):
    _, report = await ran(daily_health_check, remediate_issues=False)
    text = report.sections[-1].text
    with closing(sqlite3.connect(ledger.path)) as database:
        receipts = database.execute("SELECT seq, hash FROM receipts").fetchall()
    printed = [seq for seq, digest in receipts if digest in text]
    assert len(printed) == 1
    assert f"The last of {printed[0]:,} receipts" in text
