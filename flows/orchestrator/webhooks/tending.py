"""What a person does about endpoints and deliveries: tests, resends, enables, disables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from blocks.business.business import Business, current_business
from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.webhooks.records import Delivery, EndpointState, PartnerEvent
from blocks.models import Strict
from blocks.vocabulary.messages import new_id, utc_now
from blocks.vocabulary.partner_events import EventType, TestNews
from flows.orchestrator.effects.perform import Doer, perform
from flows.orchestrator.effects.webhooks import LoadBusiness, endpoint_of, webhooks
from flows.orchestrator.webhooks.sharing import loaded, seen


class EndpointView(Strict):
    """An endpoint as people see it.

    Attributes:
        place: Scheme, host and port of its address; "" when it is not configured any more.
        signed_with: How many secrets it is signed with; two while they are changed.
        waiting: Deliveries that wait for it.
    """

    state: EndpointState
    place: str
    active: bool
    signed_with: int
    waiting: int


async def list_endpoints(
    ledger: Ledger, now: datetime, load: LoadBusiness = current_business
) -> list[EndpointView]:
    """All endpoints that are configured, or were, and how each stands.

    Raises:
        OrchestratorError: The business or the ledger cannot be read.
    """
    business = await loaded(load)
    states = await seen(ledger, business, now)
    waiting = await ledger.endpoints.counts()
    configured = {each.name: each for each in business.endpoints}
    found = []
    for name, state in states.items():
        block = configured.get(name)
        found.append(
            EndpointView(
                state=state,
                place=block.place if block else "",
                active=block is not None and block.active,
                signed_with=len(block.keys) if block else 0,
                waiting=waiting.get(name, 0),
            )
        )
    return found


async def send_test(
    by: Doer, name: str, asked_by: str, now: datetime, load: LoadBusiness = current_business
) -> Delivery:
    """Send an endpoint ``endpoint.test``, once, whether it is enabled or not.

    Args:
        by: Who sends it.
        name: The endpoint's.
        asked_by: Who wants it sent.
        now: When.
        load: Loads the business that has the endpoint.

    Returns:
        The delivery with what came of it.

    Raises:
        NotFound: There is no such endpoint.
        ConfigurationError: It cannot be used.
        LedgerError: It could not be put on record, and was not sent.
    """
    business = await loaded(load)
    endpoint_of(business, name)
    state = (await seen(by.ledger, business, now))[name]
    news = TestNews(endpoint=name, asked_by=asked_by)
    event = PartnerEvent(
        need_key=f"{EventType.ENDPOINT_TEST} {new_id()}",
        type=EventType.ENDPOINT_TEST,
        subject=f"endpoint:{name}",
        at=now,
        data=news.model_dump(mode="json"),
    )
    effect = await by.ledger.partner_events.tell_one(event, state, now)

    async def at_hand() -> Business:
        return business

    kind = webhooks(by.ledger, at_hand, by.policy.endpoints)
    assert kind.act is not None, "it is sent by whoever sweeps"
    await perform(by, replace(kind, schedule=()), effect, kind.act, utc_now() + kind.lease)
    return await by.ledger.deliveries.get(effect.id)


async def enable(
    by: Doer, name: str, who: str, now: datetime, *, resend: bool = False
) -> EndpointState:
    """Have an endpoint told again; on demand of all that it missed, too, before anything new.

    Raises:
        NotFound: There is no such endpoint.
        LedgerError: The ledger cannot be read or written.
    """
    before = await by.ledger.endpoints.get(name)
    if resend:
        await by.ledger.deliveries.send_missed(name, now)
    after = await by.ledger.endpoints.change(name, lambda s: s.enabled_again(now, who))
    _leave_receipt(by, name, True, f"{who} says so. Before: {before.why or 'it was enabled.'}")
    return after or before


async def disable(by: Doer, name: str, who: str, why: str, now: datetime) -> EndpointState:
    """Have an endpoint told nothing any more; what waits for it is kept as missed.

    Raises:
        NotFound: There is no such endpoint.
        LedgerError: The ledger cannot be read or written.
    """
    before = await by.ledger.endpoints.get(name)
    after = await by.ledger.endpoints.change(name, lambda s: s.disabled(now, who, why))
    await by.ledger.deliveries.refuse_waiting(name, now)
    _leave_receipt(by, name, False, why or f"{who} says so.")
    return after or before


async def resend(ledger: Ledger, delivery_id: str, now: datetime) -> Delivery:
    """Have a delivery that is over sent again, with the same ``webhook-id``.

    Returns:
        As it stands now: it waits for its turn.

    Raises:
        NotFound: There is none.
        RequestError: It is not over, or its endpoint is disabled.
        LedgerError: The ledger cannot be read or written.
    """
    delivery = await ledger.deliveries.get(delivery_id)
    await _require_enabled(ledger, delivery.endpoint)
    if not await ledger.deliveries.send_again(delivery.id, now):
        raise RequestError(
            f"Delivery {delivery.id[:8]} is not over: it is {delivery.status}.",
            hint="It is sent by itself when its turn comes.",
        )
    return await ledger.deliveries.get(delivery.id)


async def resend_missed(
    ledger: Ledger, name: str, now: datetime, since: datetime | None = None
) -> int:
    """Have all sent again, in their order, that an endpoint did not take; how many those are.

    Raises:
        NotFound: There is no such endpoint.
        RequestError: It is disabled.
        LedgerError: The ledger cannot be read or written.
    """
    await _require_enabled(ledger, name)
    return await ledger.deliveries.send_missed(name, now, since)


async def _require_enabled(ledger: Ledger, name: str) -> None:
    state = await ledger.endpoints.get(name)
    if not state.enabled:
        raise RequestError(
            f"The endpoint {name!r} is disabled. {state.why}".strip(),
            hint=f"Enable it first: ./orchestrator webhooks enable {name}",
        )


def _leave_receipt(by: Doer, name: str, enabled: bool, why: str) -> None:
    by.receipt(
        ReceiptKind.DECIDE,
        f"endpoint:{name}",
        inputs={},
        decision={"enabled": enabled},
        why=why,
    )
