"""Drills: break a part of the sample business for a while, and time what the agents do about it.

A drill's name is ``TARGET-FAULT``: a supplier or service of the sample business, and one of
``down`` (its process is killed), ``slow``, ``errors`` (HTTP 500), ``garbage`` (a web page instead
of data). A service that is down or fails is ours to mend: the drill waits for a verified remedy.
What a person must decide on is not, a slow service or one whose metrics cannot be read, nor is a
supplier: nothing may be done to them, the drill ends their trouble itself and waits until a check
finds them well again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from pydantic import BaseModel

from agents.registry import registry
from blocks.errors import PolicyError, RequestError, StackError
from blocks.prefect_api.env import RunningStack
from blocks.settings import get_settings
from blocks.text import did_you_mean
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity, utc_now
from deployments.processes.restart import restart
from deployments.sample.arrangement import DrillTarget
from deployments.sample.business import drill_targets
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.dispatch.policy import policy_in_force
from flows.orchestrator.effects.actions import kind_of
from flows.orchestrator.effects.rules import reason_not_to_act
from flows.reports.model import Report

FAULTS = ("down", "slow", "errors", "garbage")
OURS = ("down", "errors")
"""What is mended in a service without asking: being slow, or exposing no metrics, is no illness."""
_EYES = {"supplier": "validate_all_integrations", "service": "comprehensive_health_check"}
"""The action that sees a target's trouble, by the target's kind."""


class Scorecard(BaseModel):
    """How a drill went. Times are seconds after the fault began; None when it never came to it.

    Attributes:
        drill: Its name.
        detected_s: Until a health check knew that something was wrong with the target.
        fixed_s: Until a remedy was verified, or a check found the target well again.
        finding: What the check said.
        remedy: What was done about it, or why nothing was.
        bystanders: Serious findings about anything else: false alarms, or trouble of their own.
        passed: Detected and fixed: by a remedy where it is ours to mend, and else without one.
    """

    drill: str
    detected_s: float | None = None
    fixed_s: float | None = None
    finding: str = ""
    remedy: str = ""
    bystanders: list[str] = []
    passed: bool = False


async def run_drill(name: str, state_dir: Path, *, say: Callable[[str], None]) -> Scorecard:
    """Break something, let a health check deal with it, and leave everything working.

    Args:
        name: ``TARGET-FAULT``.
        state_dir: State folder of the running stack.
        say: Told what happens, one sentence at a time.

    Raises:
        RequestError: There is no such drill.
        StackError: No stack with a sample business runs on the folder.
        PolicyError: The agents would not mend the target now, for instance because they just did.
    """
    if RunningStack.find(state_dir) is None:
        raise StackError(
            f"No stack runs on {state_dir}: there is nothing to break.",
            hint="Start it with ./orchestrator up.",
        )
    target, fault = _choose(name, drill_targets(state_dir))
    ours = target.kind == "service" and fault in OURS
    if ours:
        await _expect_a_remedy(target)
    card = Scorecard(drill=name)
    say(f"Before: a health check of {target.name}.")
    if trouble := _about(target, await _check()):
        raise StackError(
            f"{target.name} is in trouble already: {trouble}.",
            hint="Wait until it is well, or restart the stack.",
        )
    began = utc_now()
    say(f"{target.name}: {fault} from now on.")
    try:
        await _break(target, fault)
        report = await _check()
        await _score(card, target, began, report)
        say(f"Detected after {card.detected_s:.1f} s." if card.detected_s else "Not detected.")
    finally:
        if card.fixed_s is None:
            await _mend(target, fault, state_dir)
    say("After: another health check.")
    report = await _check()
    remedied = card.fixed_s is not None
    if not (ours or remedied or _about(target, report)):
        card.fixed_s = _seconds(began, report.finished_at)
        nothing = "none without a person" if target.kind == "service" else "none is ours to apply"
        card.remedy = card.remedy or f"{nothing}; well again once its trouble ended"
    found_well = None not in (card.detected_s, card.fixed_s) and not _about(target, report)
    card.passed = found_well and remedied == ours
    return card


async def _expect_a_remedy(target: DrillTarget) -> None:
    now = utc_now()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    trouble = Finding(
        kind="service-down",
        resource=f"service:{target.name}",
        severity=Severity.ERROR,
        title=f"{target.name} is drilled",
        remedy=Remedy(
            agent="sre-reliability", action="restart_service", params={"service": target.name}
        ),
    )
    team = registry()
    rules = (await policy_in_force(ledger, team)).policy.effects
    kind = kind_of(team.action("sre-reliability", "restart_service"))
    history = await ledger.effects.acts(since=now - rules.history)
    if reason := reason_not_to_act(trouble, history, now, rules, kind.says.cooldown):
        raise PolicyError(
            reason,
            f"{target.name} would not be mended now ({reason}): {reason.explanation(rules)}",
            hint="Drill another service, or wait.",
        )


def _choose(name: str, targets: dict[str, DrillTarget]) -> tuple[DrillTarget, str]:
    known = {f"{target}-{fault}": (target, fault) for target in targets for fault in FAULTS}
    if name not in known:
        raise RequestError(f"There is no drill {name!r}.", hint=did_you_mean(name, known))
    target, fault = known[name]
    return targets[target], fault


async def _check() -> Report:
    """One daily health check in this process; it shows up in the running stack."""
    from flows.daily_health_check import daily_health_check

    return await daily_health_check()


async def _break(target: DrillTarget, fault: str) -> None:
    if fault == "down":
        _listener(target).send_signal(signal.SIGKILL)
        return
    await _tell(target, "POST", {"fault": fault})


async def _mend(target: DrillTarget, fault: str, state_dir: Path) -> None:
    """End what the drill began, whatever the agents made of it."""
    if fault == "down":
        await restart(target.name, state_dir)
    else:
        await _tell(target, "DELETE")


async def _tell(target: DrillTarget, method: str, body: dict[str, str] | None = None) -> None:
    headers = {"Authorization": f"Bearer {target.token}"}
    async with httpx.AsyncClient(timeout=15, headers=headers) as client:
        try:
            answer = await client.request(method, target.url, json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise StackError(
                f"{target.name} does not take part in the drill ({error}).",
                hint="Restart the stack.",
            ) from None


def _listener(target: DrillTarget) -> psutil.Process:
    port = urlsplit(target.url).port
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN
        # Without a pid it is another user's; and psutil.Process(None) would be ourselves.
        if listens and connection.pid and port in tuple(connection.laddr):
            return psutil.Process(connection.pid)
    raise StackError(f"Nothing listens on port {port}: {target.name} is down already.")


def _about(target: DrillTarget, report: Report) -> str:
    """Title of the first finding about the target that calls for action; "" if there is none."""
    resource = f"{target.kind}:{target.name}"
    return next(
        (f.title for f in report.findings if f.resource == resource and f.severity > Severity.INFO),
        "",
    )


async def _score(card: Scorecard, target: DrillTarget, began: datetime, report: Report) -> None:
    resource = f"{target.kind}:{target.name}"
    card.finding = _about(target, report)
    card.bystanders = [
        f.title for f in report.findings if f.resource != resource and f.severity >= Severity.ERROR
    ]
    if not card.finding:
        return
    ledger = shared_ledger(get_settings().effective_ledger_url)
    eyes = _EYES[target.kind]
    seen = [call for call in await ledger.calls(run_id=report.run_id) if call.action == eyes]
    known_at = min(call.sent_at + timedelta(milliseconds=call.duration_ms or 0) for call in seen)
    card.detected_s = _seconds(began, known_at)
    mine = [f for f in report.findings if f.resource == resource]
    if remedies := [line for f in mine if (line := report.remediation_of(f))]:
        card.remedy = f"{remedies[0].action}: {remedies[0].status or 'not tried'}. "
        card.remedy += remedies[0].detail
    for done in await ledger.effects.acts(run_id=report.run_id, target=resource):
        if done.outcome.verdict is EffectVerdict.VERIFIED and done.finished_at:
            card.fixed_s = _seconds(began, done.finished_at)


def _seconds(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds(), 2)
