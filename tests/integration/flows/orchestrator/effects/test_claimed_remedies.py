"""A remedy acts under the claim of its resource."""

from __future__ import annotations

import pytest
from prefect import flow

from blocks.ledger import ReceiptKind
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Priority, Severity, utc_now
from flows.orchestrator.effects.claims import claim
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.team.opening import workflow_run

pytestmark = pytest.mark.prefect

CHECKOUT = "service:checkout"
BROKEN = Finding(
    kind="service-failing",
    resource=CHECKOUT,
    severity=Severity.ERROR,
    title="It fails.",
    remedy=Remedy(
        agent="sre-reliability", action="restart_service", params={"service": "checkout"}
    ),
)


@flow
async def mending():
    """One run that mends what is broken."""
    async with workflow_run("mending") as team:
        (line,) = await remediate(team, [BROKEN])
    return line, team.run.id


async def test_what_a_crisis_works_on_is_left_alone_and_the_reason_names_it(shop, ledger):
    shop.break_checkout()

    @flow
    async def in_a_crisis():
        async with (
            workflow_run("crisis-management") as crisis,
            claim(crisis, CHECKOUT, priority=Priority.LOW, purpose="failover"),
        ):
            return await mending()

    line, run_id = await in_a_crisis()
    assert line.status is None
    assert line.detail.startswith("resource-busy: service:checkout is not free: ")
    assert "(crisis-management " in line.detail
    assert line.detail.endswith(" for failover)")
    assert shop.restarts == 0
    assert await ledger.effects.acts() == []
    (kept,) = await ledger.receipts.of(kind=ReceiptKind.ARBITRATE, run_id=run_id)
    assert kept.body["why"].startswith("resource-busy: ")


async def test_a_remedy_takes_its_resource_from_less_urgent_work(shop, ledger):
    shop.break_checkout()

    @flow
    async def tidying():
        async with (
            workflow_run("tidying") as team,
            claim(team, CHECKOUT, priority=Priority.LOW) as held,
        ):
            line, _ = await mending()
            assert not await ledger.claims.check(CHECKOUT, held.token, utc_now())
            await held.safe_point()
            return line

    line = await tidying()
    assert line.status is EffectVerdict.VERIFIED
    assert shop.restarts == 1
    kept = await ledger.claims.get(CHECKOUT)
    assert (kept.holder, kept.acting, kept.token) == (None, False, 3)
