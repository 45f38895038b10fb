"""Partners' endpoints in tests: configured, and told of what is made up for them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from blocks.business.business import Business
from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.business.webhooks.signatures import verify
from blocks.ledger import Ledger
from blocks.ledger.webhooks.records import PartnerEvent
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.partner_events import EventType
from flows.orchestrator.webhooks.sending import tell_endpoints
from tests.effects import Clerk
from tests.loopback import Request

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "b3RoZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWF0LWxlYXN0"


def endpoint(name: str, url: str, **more: Any) -> WebhookEndpoint:
    given = {"name": name, "url": url, "secret": SECRET, "internal_hosts": ["127.0.0.1"]}
    return WebhookEndpoint.model_validate(given | more)


def loading(*endpoints: WebhookEndpoint) -> Callable[[], Awaitable[Business]]:
    async def load() -> Business:
        return Business(store=None, endpoints=endpoints)

    return load


def event(number: int, subject: str = "", kind: EventType = EventType.ORDER_SENT) -> PartnerEvent:
    return PartnerEvent(
        need_key=f"test {number}",
        type=kind,
        subject=subject or f"order:{number}",
        resource="supplier:acme",
        at=utc_now(),
        data={"number": number},
    )


async def look(ledger: Ledger, *endpoints: WebhookEndpoint, by: Clerk | None = None) -> list[str]:
    """One look of whoever sends: waits until all is over that is due."""

    async def decider() -> Clerk:
        return by or Clerk(ledger)

    return await tell_endpoints(ledger, decider, load=loading(*endpoints))


def numbers(requests: list[Request]) -> list[int]:
    """What was received, by the number of its event."""
    return [json.loads(each.body)["data"]["number"] for each in requests]


def webhook_id(request: Request, secret: str = SECRET, now: datetime | None = None) -> str:
    """The id of a webhook whose signature fits, as a receiver sees that."""
    from blocks.business.webhooks.signatures import key_of

    return verify([key_of(secret)], request.headers, request.body, now or utc_now()).id


async def in_time(ledger: Ledger, pause: timedelta) -> None:
    """As if so much time had gone by: what waits, waits no longer, nor does any endpoint."""
    from sqlalchemy import update

    from blocks.ledger.webhooks.tables import ENDPOINTS
    from blocks.ledger.work.tables import EFFECTS

    past = utc_now() - timedelta(seconds=1)
    soon = EFFECTS.c.queue.is_not(None), EFFECTS.c.next_at <= utc_now() + pause
    access = ledger._access
    await access.change(update(EFFECTS).where(*soon).values(next_at=past))
    await access.change(
        update(ENDPOINTS).where(ENDPOINTS.c.not_before <= utc_now() + pause).values(not_before=None)
    )
