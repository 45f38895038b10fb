"""Schemes of senders: signed with the standard library, as their own documents say."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.business.webhooks.schemes import HEADERS, Scheme, key_of, scheme_of, verify
from blocks.business.webhooks.senders import WebhookSource
from blocks.errors import InvalidMessage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SECRET = "it's a secret of theirs"
KEY = SECRET.encode()
BODY = b'{"id": 4711, "note": "line\xe2\x80\xa8break"}'


def digest(body: bytes = BODY, key: bytes = KEY) -> Any:
    return hmac.new(key, body, hashlib.sha256)


def in_base64(body: bytes = BODY, key: bytes = KEY) -> str:
    return base64.b64encode(digest(body, key).digest()).decode()


def headers(scheme: Scheme, body: bytes = BODY, key: bytes = KEY, stamp: int = STAMP) -> Any:
    match scheme:
        case Scheme.GITHUB:
            return {
                "x-hub-signature-256": f"sha256={digest(body, key).hexdigest()}",
                "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "x-github-event": "issues",
            }
        case Scheme.SHOPIFY:
            return {
                "x-shopify-hmac-sha256": in_base64(body, key),
                "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
                "x-shopify-topic": "orders/paid",
            }
        case Scheme.WOOCOMMERCE:
            return {
                "x-wc-webhook-signature": in_base64(body, key),
                "x-wc-webhook-delivery-id": "d1",
                "x-wc-webhook-id": "9",
                "x-wc-webhook-topic": "order.updated",
            }
        case Scheme.STRIPE:
            signed = f"{stamp}.".encode() + body
            signature = digest(signed, key).hexdigest()
            return {"stripe-signature": f"t={stamp},v1={'0' * 64},v1={signature},v0=old"}
    raise AssertionError(scheme)


FOREIGN = [scheme for scheme in Scheme if scheme is not Scheme.STANDARD]


def said(scheme: Scheme, given: dict[str, str], keys: tuple[bytes, ...] = (KEY,)) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        verify(scheme, keys, given, BODY, NOW)
    return caught.value


@pytest.mark.parametrize("scheme", FOREIGN)
def test_what_a_sender_signs_is_let_in_and_nothing_else(scheme: Scheme) -> None:
    given = headers(scheme)
    assert scheme_of(given) is scheme
    assert all(name.startswith(HEADERS) for name in given), "none may be there twice"
    verify(scheme, [KEY], given, BODY, NOW)
    verify(scheme, [b"the one before", KEY], given, BODY, NOW)
    for body in (BODY + b"\n", BODY.replace(b"4711", b"4712"), b""):
        with pytest.raises(InvalidMessage, match="No signature fits"):
            verify(scheme, [KEY], given, body, NOW)
    signature = next(iter(given))
    for garbage in ("", "garbage", "é", "sha256=", "v1=", "t=1,v1", given[signature].upper()):
        said(scheme, given | {signature: garbage})


@pytest.mark.parametrize("scheme", FOREIGN)
def test_a_refusal_names_the_scheme_and_says_nothing_of_the_keys(scheme: Scheme) -> None:
    told = [said(scheme, headers(scheme, key=key)) for key in (b"x" * 32, b"y" * 40)]
    assert f'scheme = "{scheme}"' in told[0].hint
    assert str(told[0]) == str(told[1])


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        (Scheme.GITHUB, "issues"),
        (Scheme.SHOPIFY, "orders/paid"),
        (Scheme.WOOCOMMERCE, "order.updated"),
    ],
)
def test_a_delivery_that_is_sent_again_is_the_same(scheme: Scheme, kind: str) -> None:
    first, again = (verify(scheme, [KEY], headers(scheme), BODY, NOW) for _ in range(2))
    assert (first.id, first.type) == (again.id, kind)
    assert 0 < len(first.id) <= 200
    header = next(name for name in headers(scheme) if "delivery" in name or "webhook-id" in name)
    if scheme is Scheme.WOOCOMMERCE:
        header = "x-wc-webhook-delivery-id"
    other = verify(scheme, [KEY], headers(scheme) | {header: "another"}, BODY, NOW)
    assert other.id != first.id
    for missing in ("", "a b", "x" * 201):
        assert "delivery" in (fault := said(scheme, headers(scheme) | {header: missing})).what or (
            "webhook-id" in fault.what
        )


def test_two_orders_that_woocommerce_sends_in_one_second_are_two() -> None:
    other = BODY.replace(b"4711", b"4712")
    first, second = (
        verify(Scheme.WOOCOMMERCE, [KEY], headers(Scheme.WOOCOMMERCE, body), body, NOW)
        for body in (BODY, other)
    )
    assert first.id != second.id


@pytest.mark.parametrize("seconds", [-300, 300])
def test_stripes_timestamp_is_signed_and_may_be_five_minutes_off(seconds: int) -> None:
    given = headers(Scheme.STRIPE)
    verify(Scheme.STRIPE, [KEY], given, BODY, NOW + timedelta(seconds=seconds))
    later = NOW + timedelta(seconds=seconds + (1 if seconds > 0 else -1))
    with pytest.raises(InvalidMessage, match="301 s in the"):
        verify(Scheme.STRIPE, [KEY], given, BODY, later)
    moved = {"stripe-signature": given["stripe-signature"].replace(str(STAMP), str(STAMP + 1))}
    assert said(Scheme.STRIPE, moved).what == "No signature fits."
    assert "milliseconds?" in said(Scheme.STRIPE, headers(Scheme.STRIPE, stamp=STAMP * 1000)).what


@pytest.mark.parametrize(
    ("name", "title"),
    [("x-slack-signature", "Slack"), ("x-hub-signature", "SHA-1"), ("x-gitlab-token", "GitLab")],
)
def test_a_scheme_that_is_not_known_here_is_named_all_the_same(name: str, title: str) -> None:
    assert scheme_of({name: "x"}) is Scheme.STANDARD
    assert title in said(Scheme.STANDARD, {name: "x"}).hint


def test_who_signs_in_two_ways_is_checked_by_the_standard() -> None:
    assert scheme_of(headers(Scheme.GITHUB) | {"webhook-id": "m"}) is Scheme.STANDARD
    assert scheme_of(headers(Scheme.GITHUB) | {"svix-id": "m"}) is Scheme.STANDARD
    assert scheme_of({}) is Scheme.STANDARD


def test_a_secret_of_theirs_is_text_as_it_was_pasted() -> None:
    for scheme in FOREIGN:
        assert key_of(f" {SECRET}\n", scheme) == KEY
        assert key_of("whsec_not/base64!", scheme) == b"whsec_not/base64!"
        with pytest.raises(ValueError, match="at least 12 characters") as caught:
            key_of("hunter2", scheme)
        assert "hunter2" not in str(caught.value)


def test_a_source_reads_its_secret_as_its_scheme_says() -> None:
    shop = WebhookSource(name="shop", scheme="woocommerce", secret=SECRET, previous_secret="x" * 12)
    assert shop.keys == (KEY, b"x" * 12)
    with pytest.raises(ValueError, match="a webhook secret is whsec_"):
        WebhookSource(name="shop", secret=SECRET)
    with pytest.raises(ValueError, match="'standard', 'github'"):
        WebhookSource(name="shop", scheme="paypal", secret=SECRET)


def test_the_event_has_the_type_of_the_header_and_the_whole_payload() -> None:
    shop = WebhookSource(name="shop", scheme="shopify", secret=SECRET, subject="order:{id}")
    signed = verify(Scheme.SHOPIFY, shop.keys, headers(Scheme.SHOPIFY), BODY, NOW)
    event = shop.event({"id": 4711, "type": "x", "data": {}}, signed)
    assert (event.id, event.type, event.subject) == (signed.id, "orders/paid", "order:4711")
    assert (event.time, event.data) == (NOW, {"id": 4711, "type": "x", "data": {}})


def test_stripes_event_has_its_own_id_and_type() -> None:
    bank = WebhookSource(name="bank", scheme="stripe", secret=SECRET)
    signed = verify(Scheme.STRIPE, bank.keys, headers(Scheme.STRIPE), BODY, NOW)
    event = bank.event({"id": "evt_1", "type": "charge.failed", "data": {"object": {}}}, signed)
    assert (event.id, event.type, event.data) == ("evt_1", "charge.failed", {"object": {}})
    with pytest.raises(InvalidMessage, match="id is missing"):
        bank.event({"type": "x", "data": {}}, signed)
