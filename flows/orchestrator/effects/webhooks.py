"""Sending a webhook: one attempt, signed anew, with what came of it in the log of deliveries.

It is delivered at least once: whoever cannot tell whether it came sends it again with the same
``webhook-id``, by which receivers know it again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from blocks.business.business import Business, current_business
from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.crash_points import reach
from blocks.errors import ConfigurationError, NotFound, OrchestratorError
from blocks.ledger import Ledger
from blocks.ledger.webhooks.records import Delivery, DeliveryAttempt, EndpointState
from blocks.ledger.work.effects import WEBHOOK, EffectRecord
from blocks.partners.answers import Answer
from blocks.partners.http import fetch
from blocks.partners.rate_limits import RateLimit
from blocks.policy.endpoint_rules import EndpointRules
from blocks.text import did_you_mean, printable
from blocks.text.masking import MASK
from blocks.vocabulary.effects import Effect, EffectStatus
from blocks.vocabulary.messages import ORCHESTRATOR, utc_now
from flows.orchestrator.effects.kinds import Came, Kind

LoadBusiness = Callable[[], Awaitable[Business]]

EXCERPT = 500
"""Bytes of an answer that are read; the log has most of them."""

SLOW_DOWN = timedelta(seconds=30)
"""For how long an endpoint is left alone that asks for it without saying for how long."""

_OVERLOADED = (429, 502, 503, 504)
_GONE = 410

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The pauses between attempts (Standard Webhooks 1.0.0, "Retry schedule"), up to a fifth longer."""

SAYS = Effect(
    precondition="something happened that the endpoint wants to be told",
    prediction="the endpoint takes it",
    verified_by="its answer",
    blast_radius="whatever the partner does with it",
    cooldown=timedelta(0),
)


def webhooks(
    ledger: Ledger,
    business: LoadBusiness = current_business,
    rules: EndpointRules | None = None,
) -> Kind:
    """The kind of effect by which partners are told.

    Args:
        ledger: Where the deliveries are.
        business: Loads the business whose endpoints they go to.
        rules: Patience with endpoints.
    """
    sender = _Sender(ledger, business, rules or EndpointRules())
    return Kind(
        name=WEBHOOK,
        says=SAYS,
        act=sender.send,
        look_up=_may_be_sent_again,
        schedule=SCHEDULE,
        lease=timedelta(seconds=90),  # three times the longest timeout: the ledger takes the rest
        is_repeatable=True,
    )


async def _may_be_sent_again(_: Ledger, effect: EffectRecord) -> Came:
    return Came(EffectStatus.FAILED, "Whoever sent it died over it.")


def endpoint_of(business: Business, name: str) -> WebhookEndpoint:
    """The endpoint of that name.

    Raises:
        NotFound: There is none.
        ConfigurationError: There may be one: something of the business cannot be used.
    """
    for endpoint in business.endpoints:
        if endpoint.name == name:
            return endpoint
    if business.left_out:
        raise ConfigurationError(
            f"The endpoint {name!r} is not among what can be used: {' '.join(business.left_out)}"
        )
    raise NotFound(
        f"There is no endpoint {name!r}.",
        hint=did_you_mean(
            name,
            [each.name for each in business.endpoints],
            otherwise="Add a Webhook Endpoint block, or [[endpoints]] to your business file.",
        ),
    )


class _Sender:
    """Sends webhooks."""

    def __init__(self, ledger: Ledger, business: LoadBusiness, rules: EndpointRules) -> None:
        self._ledger, self._business, self._rules = ledger, business, rules

    async def send(self, effect: EffectRecord) -> Came:
        """Send the event of an effect to its endpoint, once."""
        delivery = await self._ledger.deliveries.of_effect(effect.id)
        if delivery is None:
            return Came(EffectStatus.FAILED, "The delivery is not on record.", is_final=True)
        try:
            endpoint = endpoint_of(await self._business(), delivery.endpoint)
        except OrchestratorError as error:
            return Came(EffectStatus.FAILED, error.what)
        begun, clock = utc_now(), time.perf_counter()
        answer, fault = await self._call(endpoint, delivery, begun)
        reach("webhook.sent")
        attempt = DeliveryAttempt(
            effect_id=effect.id,
            number=effect.attempts,
            at=begun,
            status=answer.status if answer else None,
            duration_ms=(time.perf_counter() - clock) * 1000,
            fault=fault,
            answer=_shown(answer, endpoint) if answer else "",
        )
        return await self._learn(endpoint.name, attempt, answer)

    async def _call(
        self, endpoint: WebhookEndpoint, delivery: Delivery, now: datetime
    ) -> tuple[Answer | None, str]:
        """What the endpoint answered, if anything; and what is wrong with that, in words."""
        body = json.dumps(delivery.event.payload, ensure_ascii=False, separators=(",", ":"))
        sent = body.encode()
        own = {name: str(text) for name, text in endpoint.headers.get_secret_value().items()}
        try:
            answer = await fetch(
                endpoint.url.get_secret_value(),
                source=endpoint.who,
                timeout=self._rules.timeout_seconds,
                reach=endpoint.reach,
                method="POST",
                headers=own | endpoint.signed(delivery.event.id, now, sent),
                body=sent,
                content_type="application/json",
                excerpt=EXCERPT,
            )
        except OrchestratorError as error:
            return None, error.what
        return answer, _fault(answer)

    async def _learn(self, name: str, attempt: DeliveryAttempt, answer: Answer | None) -> Came:
        """Keep an attempt, and what it tells of its endpoint."""
        now, fault = utc_now(), attempt.fault
        if not fault:
            await self._ledger.endpoints.change(name, lambda s: s.took_one(now), attempt)
            return Came(EffectStatus.DONE, f"It was taken (HTTP {attempt.status}).")
        until = _left_alone_until(answer, now) if answer else None
        is_gone = answer is not None and answer.status == _GONE

        def after(state: EndpointState) -> EndpointState:
            failed = state.failed_one(now, until)
            if why := self._why_to_disable(failed, is_gone, now):
                return failed.disabled(now, ORCHESTRATOR, why)
            return failed

        await self._ledger.endpoints.change(name, after, attempt)
        return Came(EffectStatus.FAILED, fault, is_final=is_gone, not_before=until)

    def _why_to_disable(self, state: EndpointState, is_gone: bool, now: datetime) -> str:
        """Why an endpoint is sent nothing any more; "" when it is."""
        if not state.enabled:
            return ""
        if is_gone:
            return "It answered that it is gone for good (HTTP 410)."
        if state.failing_since and now - state.failing_since >= self._rules.disable_after:
            since = f"{state.failing_since:%d %B %H:%M} UTC"
            return f"It has taken nothing since {since}: {state.failures:,} attempts failed."
        return ""


def _fault(answer: Answer) -> str:
    """What is wrong with an answer; "" when nothing is."""
    if answer.ok:
        return ""
    if 300 <= answer.status < 400:
        where = f" to {answer.location}" if answer.location else ""
        return f"It redirects{where} (HTTP {answer.status}): redirects are not followed."
    if answer.status == _GONE:
        return "It is gone for good (HTTP 410)."
    return f"It answered HTTP {answer.status}."


def _left_alone_until(answer: Answer, now: datetime) -> datetime | None:
    """When an endpoint may be called again that asks to be left alone; None: it does not."""
    told = RateLimit().learn(answer.status, answer.headers, now, answer.clock_skew_s or 0.0)
    if told.not_before is not None:
        return told.not_before
    return now + SLOW_DOWN if answer.status in _OVERLOADED else None


def _shown(answer: Answer, endpoint: WebhookEndpoint) -> str:
    """How an answer begins, without what is secret: some receivers repeat what they are sent."""
    text = printable(answer.body.decode("utf-8", errors="replace")).strip()
    for secret in sorted(endpoint.secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
        cut = (secret[:length] for length in range(len(secret) - 1, 3, -1))
        if begun := next((each for each in cut if text.endswith(each)), ""):
            text = text.removesuffix(begun) + MASK
    return text
