"""How senders sign: after Standard Webhooks, or in the way of a few whom shops have to do with.

What is said against a webhook depends on the webhook alone: neither on the keys nor on how its
source is configured. So strangers learn nothing, and the scheme that it is checked by is the one
that its headers show.

GitHub, Shopify and WooCommerce sign the body alone. Their timestamp, topic and delivery id are not
signed: a webhook that somebody caught can be sent again under another id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from blocks.business.webhooks import signatures
from blocks.business.webhooks.signatures import Signed, fits, sent_just_now
from blocks.errors import InvalidMessage


class Scheme(StrEnum):
    """Whose way of signing."""

    STANDARD = "standard"
    GITHUB = "github"
    SHOPIFY = "shopify"
    STRIPE = "stripe"
    WOOCOMMERCE = "woocommerce"


SHORTEST = 12
"""Characters of a secret that is any text."""

_STRIPE = "stripe-signature"
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,200}")
_PARTS = re.compile(r"[a-z0-9]+=[^,=\s]+(,[a-z0-9]+=[^,=\s]+)*")
_SECONDS = re.compile(r"[0-9]{1,20}")


def _hex(digest: bytes) -> str:
    return f"sha256={digest.hex()}"


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class _OverBody:
    """A scheme that signs the body alone.

    Attributes:
        title: Whose it is.
        signature: The header with the signature.
        written: How a digest is written there.
        delivery: The header with the id that a delivery keeps when it is sent again.
        topic: The header that says what happened.
        shared: Whether different deliveries may have the same id.
    """

    title: str
    signature: str
    written: Callable[[bytes], str]
    delivery: str
    topic: str
    shared: bool = False


_OVER_BODY = {
    Scheme.GITHUB: _OverBody(
        "GitHub", "x-hub-signature-256", _hex, "x-github-delivery", "x-github-event"
    ),
    Scheme.SHOPIFY: _OverBody(
        "Shopify", "x-shopify-hmac-sha256", _base64, "x-shopify-webhook-id", "x-shopify-topic"
    ),
    # Its delivery id is made of the webhook and the second: two orders in one second share it.
    Scheme.WOOCOMMERCE: _OverBody(
        "WooCommerce",
        "x-wc-webhook-signature",
        _base64,
        "x-wc-webhook-delivery-id",
        "x-wc-webhook-topic",
        shared=True,
    ),
}

_UNKNOWN_HERE = {
    "x-slack-signature": "Slack",
    "paypal-transmission-sig": "PayPal",
    "x-square-hmacsha256-signature": "Square",
    "x-twilio-signature": "Twilio",
    "x-gitlab-token": "GitLab",
    "x-hub-signature": "GitHub did with SHA-1",
}
"""Headers of those whose signatures nobody here can check."""

HEADERS = ("webhook-", "svix-", "stripe-", "x-hub-", "x-github-", "x-shopify-", "x-wc-")
"""Beginnings of the names of headers that must not be there twice."""


def scheme_of(headers: Mapping[str, str]) -> Scheme:
    """The scheme that the headers, by lower-case name, show; the standard one when they show none.

    A sender that signs in two ways at once is checked by the standard.
    """
    if "webhook-id" not in headers and "svix-id" not in headers:
        if _STRIPE in headers:
            return Scheme.STRIPE
        for scheme, way in _OVER_BODY.items():
            if way.signature in headers:
                return scheme
    return Scheme.STANDARD


def key_of(secret: str, scheme: Scheme) -> bytes:
    """The key that a secret stands for.

    Args:
        secret: As the sender shows it; white space around it does not count.
        scheme: The standard's is base64, those of all others are text.

    Raises:
        ValueError: It can be none; does not repeat it.
    """
    if scheme is Scheme.STANDARD:
        return signatures.key_of(secret)
    text = secret.strip()
    if len(text) < SHORTEST:
        raise ValueError(f"a secret has at least {SHORTEST} characters, this one has {len(text)}")
    return text.encode()


def verify(
    scheme: Scheme, keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    """See that one of the keys signed a webhook, as far as the scheme knows just now.

    Args:
        scheme: As ``scheme_of`` finds it.
        keys: Those that may have signed it.
        headers: By lower-case name.
        body: As it came.
        now: The instant of its arrival.

    Raises:
        InvalidMessage: A header is missing or malformed, it is too old, or no signature fits.
    """
    if scheme is Scheme.STRIPE:
        return _of_stripe(keys, headers, body, now)
    if way := _OVER_BODY.get(scheme):
        return _over_body(scheme, way, keys, headers, body, now)
    try:
        return signatures.verify(keys, headers, body, now)
    except InvalidMessage as error:
        for name, title in _UNKNOWN_HERE.items():
            if name in headers and "webhook-id" not in headers:
                raise InvalidMessage(
                    error.what,
                    hint=f"It carries {name}, as {title} signs, and that cannot be checked here. "
                    f"Known are Standard Webhooks, and the schemes {', '.join(list(Scheme)[1:])}.",
                ) from None
        raise


def _over_body(
    scheme: Scheme,
    way: _OverBody,
    keys: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Signed:
    delivery, topic = headers.get(way.delivery, ""), headers.get(way.topic, "")
    if not _PRINTABLE.fullmatch(delivery):
        raise InvalidMessage(
            f"{way.delivery} is {'malformed' if delivery else 'missing'}.",
            hint="Without it nobody can tell whether it was sent before.",
        )
    expected = (way.written(hmac.new(key, body, "sha256").digest()) for key in keys)
    if not fits([headers[way.signature]], expected):
        raise _does_not_fit(way.title, scheme)
    if way.shared:
        whole = b"\n".join((delivery.encode(), topic.encode(), body))
        delivery = hashlib.sha256(whole).hexdigest()[:32]
    return Signed(delivery, now, topic if _PRINTABLE.fullmatch(topic) else "")


def _of_stripe(
    keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    """Signed is ``timestamp.body``; the id of the event stands in the body."""
    value = headers[_STRIPE]
    parts = [part.split("=") for part in value.split(",")] if _PARTS.fullmatch(value) else []
    timestamp = next((said for name, said in parts if name == "t"), "")
    if not _SECONDS.fullmatch(timestamp):
        raise InvalidMessage(
            f"{_STRIPE} is malformed.", hint="It is t=SECONDS,v1=SIGNATURE, as Stripe sends it."
        )
    sent_at = sent_just_now(f"t in {_STRIPE}", timestamp, now)
    signed = timestamp.encode() + b"." + body
    expected = (hmac.new(key, signed, "sha256").hexdigest() for key in keys)
    if not fits([said for name, said in parts if name == "v1"], expected):
        raise _does_not_fit("Stripe", Scheme.STRIPE)
    return Signed("", sent_at)


def _does_not_fit(title: str, scheme: Scheme) -> InvalidMessage:
    return InvalidMessage(
        "No signature fits.",
        hint=f"It is signed as {title} signs, not after Standard Webhooks: its source here needs "
        f'scheme = "{scheme}", and as secret the one that {title} has for this webhook.',
    )
