"""Signatures of webhooks: what Standard Webhooks signs, we verify, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from blocks.business.webhooks.signatures import TOLERANCE, key_of, new_secret, sign, verify
from blocks.errors import InvalidMessage

# The example of the specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = key_of(SECRET)
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = datetime.fromtimestamp(SENT, UTC)


def headers(**changed: str | None) -> dict[str, str]:
    given = {"id": ID, "timestamp": str(SENT), "signature": SIGNATURE} | changed
    return {f"webhook-{name}": value for name, value in given.items() if value is not None}


def test_the_example_of_the_specification() -> None:
    assert sign(KEY, ID, SENT, BODY) == SIGNATURE
    signed = verify([KEY], headers(), BODY, NOW)
    assert (signed.id, signed.sent_at) == (ID, NOW)


@given(st.binary(max_size=300), st.sampled_from(["msg_1", "a.b", "~!x"]))
def test_the_official_library_and_we_agree(body: bytes, webhook_id: str) -> None:
    text = body.hex()
    secret = new_secret()
    theirs = Webhook(secret).sign(webhook_id, NOW, text)
    assert theirs == sign(key_of(secret), webhook_id, SENT, text.encode())


@pytest.mark.parametrize("seconds", [0, TOLERANCE, -TOLERANCE])
def test_five_minutes_are_tolerated(seconds: int) -> None:
    verify([KEY], headers(), BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [TOLERANCE + 1, -TOLERANCE - 1])
def test_more_than_five_minutes_are_not(seconds: int) -> None:
    with pytest.raises(InvalidMessage, match=r"301 s in the (past|future)"):
        verify([KEY], headers(), BODY, NOW + timedelta(seconds=seconds))


def test_one_signature_of_several_by_one_key_of_several_is_enough() -> None:
    old, new = KEY, key_of(new_secret())
    both = f"v1a,AAAA {sign(new, ID, SENT, BODY)} {SIGNATURE}"
    for keys in ([old], [new], [new, old], [key_of(new_secret()), old]):
        assert verify(keys, headers(signature=both), BODY, NOW).id == ID
    with pytest.raises(InvalidMessage, match="No signature fits"):
        verify([key_of(new_secret())], headers(signature=both), BODY, NOW)


FLIPPED = BODY[:-2] + bytes([BODY[-2] ^ 1]) + BODY[-1:]

BAD = {
    "a flipped byte of the body": ({}, FLIPPED),
    "the same JSON written anew": ({}, b'{"test":2432232314}'),
    "a flipped byte of the signature": ({"signature": SIGNATURE.replace("g0h", "g1h")}, BODY),
    "garbage": ({"signature": "garbage"}, BODY),
    "garbage with a version": ({"signature": "v1,\x80not base64"}, BODY),
    "no base64": ({"signature": "v1,***"}, BODY),
    "two spaces between signatures": ({"signature": f"{SIGNATURE}  {SIGNATURE}"}, BODY),
    "a space after the signature": ({"signature": f"{SIGNATURE} "}, BODY),
    "a comma between signatures": ({"signature": f"{SIGNATURE},{SIGNATURE}"}, BODY),
    "another version": ({"signature": SIGNATURE.replace("v1", "v2")}, BODY),
    "an asymmetric signature": ({"signature": SIGNATURE.replace("v1", "v1a")}, BODY),
    "no version": ({"signature": SIGNATURE.removeprefix("v1,")}, BODY),
    "an empty signature": ({"signature": ""}, BODY),
    "no signature": ({"signature": None}, BODY),
    "another id": ({"id": "msg_another"}, BODY),
    "an empty id": ({"id": ""}, BODY),
    "a long id": ({"id": "m" * 201}, BODY),
    "an id with a line break": ({"id": f"{ID}\n"}, BODY),
    "no id": ({"id": None}, BODY),
    "another timestamp": ({"timestamp": str(SENT + 1)}, BODY),
    "no number": ({"timestamp": "nan"}, BODY),
    "infinity": ({"timestamp": "inf"}, BODY),
    "a fraction": ({"timestamp": f"{SENT}.9"}, BODY),
    "a timestamp with spaces": ({"timestamp": f" {SENT} "}, BODY),
    "a timestamp with a sign": ({"timestamp": f"+{SENT}"}, BODY),
    "a timestamp with underscores": ({"timestamp": "1_614_265_330"}, BODY),
    "digits of another script": ({"timestamp": "١٦١٤٢٦٥٣٣٠"}, BODY),
    "a timestamp beyond all years": ({"timestamp": "9" * 400}, BODY),
    "no timestamp": ({"timestamp": None}, BODY),
}


@pytest.mark.parametrize("bad", BAD)
def test_nothing_else_is_let_in(bad: str) -> None:
    changed, body = BAD[bad]
    with pytest.raises(InvalidMessage):
        verify([KEY], headers(**changed), body, NOW)


@pytest.mark.parametrize(
    "written",
    [f"v1,{SECRET}", f"{SECRET}\n", f" v1, {SECRET} ", SECRET.removeprefix("whsec_")],
)
def test_a_secret_is_read_as_people_paste_it(written: str) -> None:
    assert key_of(written) == KEY


def test_a_secret_may_lack_its_padding() -> None:
    secret = "whsec_" + "A" * 43 + "="
    assert key_of(secret.rstrip("=")) == key_of(secret) == bytes(32)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("whsec_AAAA AAAA", "white space"),
        ("whsec_AAAA-AAA", "a character that base64 does not have"),
        ("whsec_" + "A" * 33, "cut off"),
        ("whsec_" + "A" * 28, "this one has 21"),
    ],
)
def test_what_is_wrong_with_a_secret_is_named_without_it(secret: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        key_of(secret)
    assert "AAAA" not in str(caught.value)


def test_the_headers_may_be_called_as_svix_calls_them() -> None:
    named = {name.replace("webhook", "svix"): value for name, value in headers().items()}
    assert verify([KEY], named, BODY, NOW).id == ID
    with pytest.raises(InvalidMessage, match="svix-timestamp lies"):
        verify([KEY], named, BODY, NOW + timedelta(seconds=TOLERANCE + 1))
    mixed = named | {"webhook-id": ID}
    with pytest.raises(InvalidMessage, match="webhook-timestamp is missing"):
        verify([KEY], mixed, BODY, NOW)


@pytest.mark.parametrize("unit", [10**3, 10**6, 10**9])
def test_other_units_than_seconds_are_asked_about(unit: int) -> None:
    with pytest.raises(InvalidMessage, match=r"milliseconds\?") as caught:
        verify([KEY], headers(timestamp=str(SENT * unit)), BODY, NOW)
    assert "whole seconds" in caught.value.hint


def test_a_signature_in_hex_is_told_to_be_one() -> None:
    with pytest.raises(InvalidMessage) as caught:
        verify([KEY], headers(signature=f"v1,{'0f' * 32}"), BODY, NOW)
    assert "base64, not in hex" in caught.value.hint


def test_what_is_said_against_it_does_not_depend_on_the_keys() -> None:
    for changed, body in BAD.values():
        said = set()
        for keys in ([KEY], [key_of(new_secret())], [KEY, key_of(new_secret())]):
            with pytest.raises(InvalidMessage) as caught:
                verify(keys, headers(**changed), body, NOW)
            said.add(str(caught.value))
        assert len(said) == 1


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_AA==", "whsec_***", f"whsec_{'A' * 88}", "whsec_é", "plain"]
)
def test_a_secret_is_base64_of_24_to_64_bytes(secret: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret") as caught:
        key_of(secret)
    assert secret in ("", "whsec_") or secret not in str(caught.value)
