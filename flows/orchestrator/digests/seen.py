"""What a check saw, as things that people may be told of."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.calls import Reply
from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan
from blocks.policy.notify_rules import NotifyRules
from blocks.vocabulary.findings import INCIDENT, Finding
from blocks.vocabulary.messages import Outcome
from blocks.vocabulary.severity import Severity
from flows.orchestrator.digests.changes import Changes, Seen
from flows.reports.mail.digest import MOST, Digest, Draft, Listed, Matter
from flows.reports.markdown import done_about
from flows.reports.model import Report, count, money
from flows.reports.placed_orders import stands

DRAFTS = "draft-orders/store"
"""What draft orders are called among what people are told of."""


@dataclass(frozen=True)
class Look:
    """What a check saw.

    Attributes:
        report: Its report.
        findings: What is wrong and was not mended, by fingerprint, worst first.
        sources: Who saw each, ``agent.action``.
        looked: Who has looked, and saw everything.
    """

    report: Report
    findings: Mapping[str, Finding]
    sources: Mapping[str, str]
    looked: frozenset[str]

    @property
    def incidents(self) -> frozenset[str]:
        """Fingerprints of what is an open incident, of which people are told as such."""
        return frozenset(f for f, found in self.findings.items() if INCIDENT in found.evidence)

    def seen_by(self, name: str, rules: NotifyRules) -> list[Seen]:
        """What concerns an audience, worst first."""
        audience, plan = rules.audiences[name], self.report.orders
        seen = [
            Seen(fingerprint, finding.severity.value, finding.title, self.sources[fingerprint])
            for fingerprint, finding in self.findings.items()
            if finding.severity >= audience.worth_telling and name in rules.concerned(fingerprint)
        ]
        if audience.orders and plan is not None and plan.orders:
            seen.append(Seen(DRAFTS, _state_of(plan), _title_of(plan), self.sources[DRAFTS]))
        return seen


def look_of(report: Report, replies: Sequence[Reply]) -> Look:
    """What a check saw, and who of the agents can say what is over.

    A check that came to nothing is itself a thing to be told of.

    Args:
        report: Its report.
        replies: What the agents answered; of one who answered twice the last counts.
    """
    itself = _source(report)
    sources: dict[str, str] = {}
    whole = {itself: report.outcome is not Outcome.FAILED}
    for reply in replies:
        result = reply.result
        sources |= {f.fingerprint: reply.called for f in getattr(result, "findings", ())}
        sources |= {DRAFTS: reply.called} if isinstance(result, PurchasePlan) else {}
        whole[reply.called] = reply.ok and not getattr(result, "missing", ())
    open_ones = [f for f in report.findings if not _is_mended(report, f)]
    if report.outcome is Outcome.FAILED:
        open_ones.insert(0, _nothing_seen(report))
    return Look(
        report,
        {finding.fingerprint: finding for finding in open_ones},
        defaultdict(lambda: itself, sources),
        frozenset(source for source, is_whole in whole.items() if is_whole),
    )


def digest_of(look: Look, business: str, found: Changes) -> Digest | None:
    """What an audience is told of a check; None when nothing is news to it."""
    report = look.report
    new = [fingerprint for fingerprint in found.new if fingerprint != DRAFTS]
    again = [fingerprint for fingerprint in found.again if fingerprint != DRAFTS]
    over = [telling for telling in found.over if telling.fingerprint != DRAFTS]
    drafts = _drafts(report) if DRAFTS in (*found.new, *found.again) else []
    if not (new or again or over or drafts):
        return None
    return Digest(
        business=business,
        check=report.title,
        run_id=report.run_id,
        at=report.finished_at,
        timezone=report.timezone,
        currency=report.currency,
        new=_listed(look, new, found.new),
        open=_listed(look, again, {}),
        over=[_over(report, t.fingerprint, t.title) for t in over[:MOST]],
        over_number=len(over),
        drafts=drafts,
    )


def _listed(look: Look, fingerprints: Sequence[str], before: Mapping[str, str]) -> Listed:
    matters = []
    for fingerprint in fingerprints[:MOST]:
        finding, was = look.findings[fingerprint], before.get(fingerprint)
        matters.append(
            Matter(
                severity=finding.severity,
                title=finding.title,
                to_do=done_about(look.report, finding),
                impact_per_day=finding.impact_per_day,
                was=Severity(was) if was else None,
            )
        )
    return Listed(matters=matters, number=len(fingerprints))


def _over(report: Report, fingerprint: str, title: str) -> str:
    """What is over, or is no longer as bad as it is worth telling."""
    milder = next((f for f in report.findings if f.fingerprint == fingerprint), None)
    if milder is None:
        return title
    return f"{title} ({'mended' if _is_mended(report, milder) else f'now {milder.severity.value}'})"


def _is_mended(report: Report, finding: Finding) -> bool:
    done = report.remediation_of(finding)
    return done is not None and done.status is not None and done.status.helped


def _nothing_seen(report: Report) -> Finding:
    return Finding(
        kind="check-failed",
        resource=f"workflow:{report.workflow}",
        severity=Severity.CRITICAL,
        title=f"{report.title} could look at nothing. {' '.join(report.missing[:3])}",
        advice="Until it can, nobody is told what is wrong: ./orchestrator doctor.",
    )


def _source(report: Report) -> str:
    return f"workflow:{report.workflow}"


def _state_of(plan: PurchasePlan) -> str:
    """Changes when a draft does: another supplier, other items, other numbers of them."""
    told = [[o.supplier, str(o.total), [[i.sku, i.units] for i in o.lines]] for o in plan.orders]
    return hashlib.sha256(repr(sorted(told)).encode()).hexdigest()[:12]


def _title_of(plan: PurchasePlan) -> str:
    total = None if plan.total is None else float(plan.total)
    return f"{count(len(plan.orders), 'order')} proposed, {money(total, plan.currency)}"


def _drafts(report: Report) -> list[Draft]:
    became = {order.supplier: stands(order) for order in report.placed}
    return [
        Draft(
            supplier=order.supplier,
            items=len(order.lines),
            total=f"{order.total:,.2f} {order.currency}",
            arrives_on=f"{order.arrives_on:%d %b %Y}",
            stands=became.get(order.supplier, ""),
        )
        for order in (report.orders.orders if report.orders else [])
    ]
