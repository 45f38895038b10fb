"""First response to an event: how the thing is now, and which safe remedy may be tried."""

from __future__ import annotations

import asyncio
import socket
from datetime import datetime
from typing import Any

from agents.capability import ANYBODY, action
from agents.events import answer_each
from agents.sre_reliability import PLATFORM
from agents.sre_reliability.system_monitoring import host
from agents.sre_reliability.system_monitoring.prefect_itself.runs import judge_prefect
from agents.sre_reliability.system_monitoring.prefect_itself.watch import PART as PREFECT_PART
from agents.sre_reliability.system_monitoring.prefect_itself.watch import kind_of
from agents.sre_reliability.system_monitoring.probe_watch import Turns, judge_probe, signal_of
from agents.sre_reliability.system_monitoring.services import CONFIRMATION_GAP, check_service
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.ledger.calls.records import RunRecord
from blocks.prefect_api.client import PrefectApi
from blocks.settings import get_settings
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.looks import WATCH
from blocks.vocabulary.messages import Outcome, Severity, SystemEvent
from blocks.vocabulary.responses import EventResponse, EventResponses, read_event, subject_of

OWN_NAMES = frozenset({"local", "localhost", "127.0.0.1", "::1"})
"""What this machine is called, beside its name."""


@action(timeout=30, retries=1, askers=ANYBODY)
async def respond_to_event(
    event: dict[str, Any],
    business: Business,
    ledger: Ledger,
    now: datetime,
    prefect: PrefectApi | None = None,
) -> EventResponse:
    """Look at the service, run or platform an event is about, and propose what may be tried.

    A service is looked at; a restart is proposed when it is ill and can be restarted. A probe is
    asked again, and so is Prefect about what stands still in it. Anything that is neither a
    service, a probe, a run nor part of the platform does not concern reliability.

    Args:
        event: A SystemEvent as JSON.
        business: Whose services are probed.
        ledger: Knows the runs.
        now: The instant of the look.
        prefect: The Prefect server that runs us; None where nobody can ask it.

    Raises:
        InvalidMessage: ``event`` is no event.
        ConfigurationError: An address of the service is unusable.
        LedgerUnavailable: The ledger cannot be read.
        SourceError: Prefect does not answer.
    """
    happened = read_event(event)
    kind, name = subject_of(happened)
    told_of_prefect = happened.source == f"{WATCH}.{PREFECT_PART}"
    if told_of_prefect and kind != "prefect" and prefect:  # not of its API, or its database
        return _about_prefect(happened, judge_prefect(await prefect.health(now), now))
    if kind == "service":
        return await _about_service(happened, name, business, now)
    if kind == "probe":
        return await _about_probe(happened, name, business)
    if kind == "run":
        return _about_run(happened, name, await ledger.run(name))
    if kind == "host" and not _is_this_machine(name):
        return EventResponse.not_concerned(
            happened, f"{name} is another machine than the one that we run on."
        )
    if kind in PLATFORM or (not kind and happened.type.startswith("prefect.")):
        return await _about_platform(happened, ledger)
    return EventResponse.not_concerned(
        happened, f"{happened.subject or 'It'} is no service, no run and no part of the platform."
    )


@action(timeout=60, retries=0)
async def respond_to_events(
    events: list[dict[str, Any]],
    business: Business,
    ledger: Ledger,
    now: datetime,
    prefect: PrefectApi | None = None,
) -> EventResponses:
    """Look at what many events are about, as ``respond_to_event`` does."""
    return await answer_each(
        events, lambda event: respond_to_event(event, business, ledger, now, prefect)
    )


def _is_this_machine(name: str) -> bool:
    """Whether a machine, with its domain or without, is the one that we run on."""
    own = {socket.gethostname().lower(), *OWN_NAMES}
    return name.lower() in own or name.lower().partition(".")[0] in own


async def _about_service(
    event: SystemEvent, name: str, business: Business, now: datetime
) -> EventResponse:
    service = next((s for s in business.services if s.name == name), None)
    if service is None:
        return EventResponse.not_concerned(event, f"No service {name!r} is configured.")
    health, findings = await check_service(service, now)
    evidence = health.model_dump(mode="json", exclude={"name", "metrics"})
    if health.healthy:  # its metrics may be unreadable: the evidence says so
        return EventResponse(
            relevant=True,
            assessment=f"{name} answers well now, in {health.latency_ms or 0:.0f} ms.",
            severity=Severity.INFO,
            resource=event.subject,
            advice="Nothing to do unless it comes again.",
            evidence=evidence,
            well=True,
        )
    finding = findings[0]
    return EventResponse(
        relevant=True,
        assessment=f"{finding.title}.",
        severity=finding.severity,
        resource=finding.resource,
        proposals=[finding.remedy] if finding.remedy else [],
        advice=finding.advice,
        evidence=evidence,
        well=False,
    )


async def _about_probe(event: SystemEvent, name: str, business: Business) -> EventResponse:
    probe = next((p for p in business.probes if p.name == name), None)
    if probe is None:
        return EventResponse.not_concerned(event, f"No probe {name!r} is configured.")
    verdict = await judge_probe(probe, Turns(), confirm_after=CONFIRMATION_GAP)
    signal = signal_of(verdict)
    if signal is None:
        took = verdict.seen.latency_ms or 0
        return EventResponse(
            relevant=True,
            assessment=f"{name} answers as it should now, in {took:.0f} ms.",
            severity=Severity.INFO,
            resource=event.subject,
            advice="Nothing to do unless it comes again.",
            well=True,
        )
    return EventResponse(
        relevant=True,
        assessment=signal.summary,
        severity=signal.severity,
        resource=event.subject,
        advice=probe.runbook or "See what it is that no longer answers as it should.",
        evidence=signal.evidence,
        well=False,
    )


def _about_prefect(event: SystemEvent, findings: list[Finding]) -> EventResponse:
    """Whether what our watching found in Prefect is still so."""
    still = next(
        (
            finding
            for finding in findings
            if (finding.resource, kind_of(finding)) == (event.subject, event.type)
            and finding.severity > Severity.INFO
        ),
        None,
    )
    if still is None:
        return EventResponse(
            relevant=True,
            assessment="Prefect no longer shows it.",
            severity=Severity.INFO,
            resource=event.subject,
            advice="Nothing to do unless it comes again.",
            well=True,
        )
    return EventResponse(
        relevant=True,
        assessment=f"{still.title}.",
        severity=still.severity,
        resource=event.subject,
        advice=still.advice,
        evidence=still.evidence,
        well=False,
    )


def _about_run(event: SystemEvent, name: str, run: RunRecord | None) -> EventResponse:
    if run is None:
        return EventResponse.not_concerned(event, f"The ledger knows no run {name!r}.")
    ended = f"ended as {run.outcome}" if run.outcome else "has not ended"
    failed = run.outcome is Outcome.FAILED
    return EventResponse(
        relevant=True,
        assessment=f"The run of {run.workflow} from {run.started_at:%Y-%m-%d %H:%M} UTC {ended}.",
        severity=max(event.severity, Severity.WARNING) if failed else event.severity,
        resource=event.subject,
        advice="Read its report, then its log in Prefect." if failed else "",
        evidence=run.model_dump(mode="json"),
    )


async def _about_platform(event: SystemEvent, ledger: Ledger) -> EventResponse:
    folder = ledger.path.parent if ledger.path else get_settings().state_dir
    seen = await asyncio.to_thread(host.read_host, folder)
    findings = host.judge_host(seen)
    told = "; ".join(finding.title for finding in findings)
    return EventResponse(
        relevant=True,
        assessment=f"{told}." if told else "The machine has CPU, memory and disk to spare.",
        severity=max((event.severity, *(finding.severity for finding in findings))),
        resource=event.subject or "host:local",
        advice=" ".join(finding.advice for finding in findings),
        evidence=seen.model_dump(mode="json"),
    )
