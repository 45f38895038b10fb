"""Standard Webhooks 1.0.0: how a webhook is signed, and whether it is what its sender signed.

Signed is ``id.timestamp.body``, the body byte for byte as it came, with HMAC-SHA256. The header
``webhook-signature`` holds any number of signatures, separated by single spaces: a sender signs
with its old and its new key while it changes them. Svix, where the standard comes from, calls the
same three headers ``svix-…``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from blocks.errors import InvalidMessage

TOLERANCE = 300
"""Seconds that a webhook's timestamp and our clock may lie apart."""

LONGEST_ID = 200

_A_DAY = 86_400

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_ID = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}")
_TIMESTAMP = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_SIGNATURES = re.compile(
    r"v[0-9]+[a-z]*,[A-Za-z0-9+/]+={0,2}( v[0-9]+[a-z]*,[A-Za-z0-9+/]+={0,2})*"
)


@dataclass(frozen=True)
class Signed:
    """What is known of a webhook with a valid signature, apart from the body.

    Attributes:
        id: The webhook's id: the same however often it is sent; empty when the body says it.
        sent_at: When this attempt to send it was made.
        type: What happened, where the sender says so in a header.
    """

    id: str
    sent_at: datetime
    type: str = ""


def key_of(secret: str) -> bytes:
    """The key that a secret (``whsec_`` and base64) stands for.

    As people paste it: with white space around it, with the ``v1,`` that some dashboards show, and
    without the padding that others leave out.

    Raises:
        ValueError: It is no base64 of 24 to 64 bytes; does not repeat it.
    """
    text = secret.strip().removeprefix("v1,").strip().removeprefix(_PREFIX)
    if not _BASE64.fullmatch(text):
        odd = "white space" if re.search(r"\s", text) else "a character that base64 does not have"
        raise ValueError(f"a webhook secret is {_PREFIX} and base64; this one has {odd} in it")
    text = text.rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError(
            f"a webhook secret is {_PREFIX} and base64; this one was cut off, or has a character "
            "too much"
        ) from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"a webhook secret has 24 to 64 bytes, this one has {len(key)}")
    return key


def new_secret() -> str:
    """A secret for a new sender."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(key: bytes, webhook_id: str, timestamp: int | str, body: bytes) -> str:
    """The signature of a webhook, as it stands in ``webhook-signature``."""
    content = b"%s.%s.%s" % (webhook_id.encode(), str(timestamp).encode(), body)
    # hmac.digest would let go of the interpreter's lock each time, and wait to get it back.
    digest = hmac.new(key, content, "sha256").digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime) -> Signed:
    """See that one of the keys signed a webhook, and that it was sent just now.

    What is said against it depends on the webhook alone, never on the keys.

    Args:
        keys: Those that may have signed it.
        headers: By lower-case name.
        body: As it came.
        now: The instant of its arrival.

    Raises:
        InvalidMessage: A header is missing or malformed, the timestamp is more than ``TOLERANCE``
            seconds off, or no signature fits.
    """
    kind = "svix" if "svix-signature" in headers and "webhook-id" not in headers else "webhook"
    webhook_id = _header(headers, f"{kind}-id", _ID)
    timestamp = _header(headers, f"{kind}-timestamp", _TIMESTAMP)
    signatures = _header(headers, f"{kind}-signature", _SIGNATURES).split(" ")
    sent_at = sent_just_now(f"{kind}-timestamp", timestamp, now)
    if not fits(signatures, (sign(key, webhook_id, timestamp, body) for key in keys)):
        in_hex = any(_HEX.fullmatch(each.partition(",")[2]) for each in signatures)
        raise InvalidMessage(
            "No signature fits.",
            hint=f"Sign {kind}-id.{kind}-timestamp.body, byte for byte, with the secret of this "
            "connection" + (", and write it in base64, not in hex." if in_hex else "."),
        )
    return Signed(webhook_id, sent_at)


def fits(signatures: Sequence[str], expected: Iterable[str]) -> bool:
    """Whether one signature is one of those expected; how long it takes does not tell which."""
    found = False
    for each in expected:
        for signature in signatures:
            found |= hmac.compare_digest(each.encode(), signature.encode())
    return found


def sent_just_now(name: str, timestamp: str, now: datetime) -> datetime:
    """The instant of a timestamp in seconds since 1970.

    Raises:
        InvalidMessage: It lies more than ``TOLERANCE`` seconds off.
    """
    apart = int(now.timestamp()) - int(timestamp)
    if abs(apart) <= TOLERANCE:
        return datetime.fromtimestamp(int(timestamp), UTC)
    if any(abs(now.timestamp() - int(timestamp) / unit) < _A_DAY for unit in (1e3, 1e6, 1e9)):
        raise InvalidMessage(
            f"{name} is {timestamp}: milliseconds?",
            hint="Send whole seconds since 1970, and sign those.",
        )
    raise InvalidMessage(
        f"{name} lies {abs(apart):,} s in the {'past' if apart > 0 else 'future'}.",
        hint=f"Sign each attempt anew; {TOLERANCE} s are tolerated. If the clock of the sender or "
        "of this machine is wrong, set it.",
    )


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> str:
    value = headers.get(name)
    if value is None or not form.fullmatch(value):
        raise InvalidMessage(
            f"{name} is {'missing' if value is None else 'malformed'}.",
            hint="Sign as Standard Webhooks 1.0.0 says.",
        )
    return value
