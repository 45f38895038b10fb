"""Signed webhooks: the official library as the client, and everything that must stay outside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from blocks.business.webhooks.signatures import key_of, new_secret, sign
from tests.integration.deployments.api.intake import SECRET, Intake, open_intake, write_business
from tests.waiting import wait_until

LATE = {"type": "delivery.late", "data": {"sku": "85123A", "severity": "warning"}}


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    with open_intake(tmp_path_factory.mktemp("webhooks")) as intake:
        yield intake


def problem(answer) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def test_a_webhook_is_an_event(intake: Intake) -> None:
    answer = intake.send(LATE, name="msg_late")
    assert (answer.status_code, answer.json()) == (202, {"new": 1, "known": 0, "ids": ["msg_late"]})
    event = intake.kept()["msg_late"]
    assert (event["type"], event["severity"], event["subject"], event["data"]) == (
        "delivery.late",
        "warning",
        "sku:85123A",
        LATE["data"],
    )


def test_sent_again_it_has_no_second_effect(intake: Intake) -> None:
    assert intake.send(LATE, name="msg_twice").json()["new"] == 1
    for body in (LATE, {"type": "something.else", "data": {}}):
        again = intake.send(body, name="msg_twice")
        assert (again.status_code, again.json()["known"]) == (202, 1)
    assert intake.kept()["msg_twice"]["type"] == "delivery.late"


def _garbled(signature: str) -> str:
    middle = "A" if signature[10] != "A" else "B"
    return signature[:10] + middle + signature[11:]


TEXT = json.dumps(LATE)


def _just_signed() -> tuple[str, str]:
    """A signature of the text that is good now, and its timestamp."""
    now = datetime.now(UTC)
    return Webhook(SECRET).sign("msg_bad", now, TEXT), str(int(now.timestamp()))


def _doubly_spaced() -> dict[str, str]:
    signature, stamp = _just_signed()
    return {"webhook_signature": f"{signature}  {signature}", "webhook_timestamp": stamp}


def _flipped() -> dict[str, str]:
    signature, stamp = _just_signed()
    return {"webhook_signature": _garbled(signature), "webhook_timestamp": stamp}


BAD: dict[str, dict | Callable[[], dict]] = {
    "no headers": {"webhook_id": None, "webhook_timestamp": None, "webhook_signature": None},
    "no id": {"webhook_id": None},
    "no signature": {"webhook_signature": None},
    "garbage": {"webhook_signature": "garbage"},
    "doubly spaced": _doubly_spaced,
    "flipped": _flipped,
    "three parts": {"webhook_signature": "v1,abc,def"},
    "latin-1": {"webhook_signature": b"v1,\xe9"},
    "timestamp nan": {"webhook_timestamp": "nan"},
    "timestamp 123.9": {"webhook_timestamp": "123.9"},
    "timestamp 1e309": {"webhook_timestamp": "1e309"},
    "timestamp of 5,000 digits": {"webhook_timestamp": "1" * 5000},
    "301 s old": {"ago": 301.5},
    "301 s early": {"ago": -302},
    "another's secret": {"secret": new_secret()},
    "an id that was not signed": {"webhook_id": "msg_other"},
    "nobody's name": {"to": "nobody"},
    "a name that is a path": {"to": "..%2fshop"},
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_signed_as_it_should_be_stays_outside(intake: Intake, bad: str) -> None:
    given = BAD[bad]
    given = given() if callable(given) else given
    answer = intake.send(TEXT, **{"name": "msg_bad"} | given)
    assert answer.status_code in ((401, 404) if "path" in bad else (401,))
    assert problem(answer)["title"]
    assert "msg_bad" not in intake.kept()


@pytest.mark.parametrize("body", [TEXT.replace("late", "late "), json.dumps(LATE, indent=1), "{}"])
def test_another_body_than_the_signed_one_stays_outside(intake: Intake, body: str) -> None:
    signature, stamp = _just_signed()
    answer = intake.send(body, name="msg_bad", webhook_timestamp=stamp, webhook_signature=signature)
    assert (answer.status_code, problem(answer)["detail"]) == (401, "No signature fits.")


def test_a_stranger_does_not_learn_whom_we_know(intake: Intake) -> None:
    told = [
        intake.send(LATE, name="msg_bad", to=name, secret=new_secret()) for name in ("shop", "nil")
    ]
    assert told[0].content == told[1].content
    assert told[0].headers.keys() == told[1].headers.keys()
    assert {answer.status_code for answer in told} == {401}


def test_old_signatures_are_good_for_five_minutes(intake: Intake) -> None:
    assert intake.send(LATE, name="msg_old", ago=295).status_code == 202
    assert intake.send(LATE, name="msg_early", ago=-295).status_code == 202


def _signed(body: bytes, name: str = "msg_raw") -> dict[str, str]:
    stamp = str(int(datetime.now(UTC).timestamp()))
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": sign(key_of(SECRET), name, stamp, body),
    }


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"type": "caf\xe9"}', "application/json", 400),
        (b"\xff\xfe{\x00}\x00", "application/json", 400),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b'{"a": 1e309}', "application/json", 400),
        (b'{"a": "\\u0000"}', "application/json", 400),
        (b'{"a": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b'{"type": "", "data": {}}', "application/json", 422),
        (b'{"type": 7, "data": {}}', "application/json", 422),
        (b'"%s"' % (b"x" * 300_000), "application/json", 413),
    ],
)
def test_a_good_signature_does_not_make_a_bad_body_good(
    intake: Intake, body: bytes, kind: str, status: int
) -> None:
    headers = _signed(body) | {"content-type": kind}
    answer = intake.client.post("/webhooks/shop", content=body, headers=headers)
    assert answer.status_code == status
    assert problem(answer)["detail"]
    assert "msg_raw" not in intake.kept()


def test_a_header_that_is_there_twice_is_refused(intake: Intake) -> None:
    body = TEXT.encode()
    headers = [*_signed(body).items(), ("webhook-id", "msg_other")]
    answer = intake.client.post(
        "/webhooks/shop", content=body, headers=[*headers, ("content-type", "application/json")]
    )
    assert (answer.status_code, problem(answer)["code"]) == (401, "bad-signature")


def test_the_headers_may_be_svixs_and_then_must_not_be_there_twice_either(intake: Intake) -> None:
    signed = {n.replace("webhook", "svix"): v for n, v in _signed(TEXT.encode(), "m_svix").items()}
    headers = [*signed.items(), ("content-type", "application/json")]
    answer = intake.client.post("/webhooks/shop", content=TEXT, headers=headers)
    assert (answer.status_code, answer.json()["ids"]) == (202, ["m_svix"])
    answer = intake.client.post(
        "/webhooks/shop", content=TEXT, headers=[*headers, ("svix-id", "m_other")]
    )
    assert (answer.status_code, "twice" in problem(answer)["detail"]) == (401, True)


def _as_woocommerce(body: bytes, secret: str, delivery: str = "d1") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "x-wc-webhook-signature": base64.b64encode(digest).decode(),
        "x-wc-webhook-delivery-id": delivery,
        "x-wc-webhook-topic": "order.updated",
    }


def test_a_source_may_sign_as_shops_do_and_a_bad_one_beside_it_harms_nobody(
    intake: Intake,
) -> None:
    secret = "as WooCommerce shows it"
    url = "/webhooks/woo"

    def order(number: int, delivery: str = "d1") -> httpx.Response:
        body = b'{"id": %d}' % number
        return intake.client.post(
            url, content=body, headers=_as_woocommerce(body, secret, delivery)
        )

    assert "WooCommerce" in problem(order(1))["hint"], "of a name that nobody has, too"
    try:
        intake.business.write_text(
            f"""
            [[webhooks]]
            name = "woo"
            scheme = "woocommerce"
            secret = "{secret}"
            subject = "order:{{id}}"
            [[webhooks]]
            name = "bad"
            secret = "whsec_c2hvcnQ="
            [[webhooks]]
            name = "shop"
            secret = "{SECRET}"
            [[services]]
            name = "not a name"
            health_url = "${{A_VARIABLE_THAT_IS_NOT_SET}}"
            """
        )
        wait_until(lambda: order(1).status_code == 202, "the new sender")
        assert order(1).json()["known"] == 1
        assert order(2).json()["new"] == 1, "in the same second, with the same delivery id"
        (first, second) = intake.kept("woo").values()
        assert {first["subject"], second["subject"]} == {"order:1", "order:2"}
        assert first["type"] == "order.updated"
        assert intake.send(LATE, name="msg_beside").status_code == 202
        for name in ("bad", "nobody"):
            assert intake.send(LATE, to=name).status_code == 401
        # Its secret is a key of its own scheme, and of no other.
        stamp = str(int(datetime.now(UTC).timestamp()))
        signature = sign(secret.encode(), "msg_other", stamp, TEXT.encode())
        other = {"webhook_timestamp": stamp, "webhook_signature": signature}
        assert intake.send(TEXT, to="woo", name="msg_other", **other).status_code == 401
        foreign = intake.send(LATE, to="woo", secret=new_secret())
        assert foreign.json() == intake.send(LATE, to="nobody", secret=new_secret()).json()
    finally:
        write_business(intake.business)


def test_woocommerce_may_try_an_address_and_learns_nothing_of_whom_we_know(intake: Intake) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for name in ("shop", "nobody"):
        answer = intake.client.post(f"/webhooks/{name}", content=b"webhook_id=9", headers=form)
        assert (answer.status_code, answer.json()) == (200, {"new": 0, "known": 0, "ids": []})
        other = intake.client.post(f"/webhooks/{name}", content=b"webhook_id=9&a=1", headers=form)
        assert other.status_code == 401


def test_while_keys_change_both_are_good_and_afterwards_the_old_one_is_not(intake: Intake) -> None:
    new = new_secret()
    try:
        write_business(intake.business, new, previous=SECRET)
        wait_until(
            lambda: intake.send(LATE, name="msg_new", secret=new).status_code == 202, "new key"
        )
        assert intake.send(LATE, name="msg_still").status_code == 202
        sent = datetime.now(UTC)
        both = " ".join(Webhook(s).sign("msg_both", sent, TEXT) for s in (SECRET, new))
        stamp = str(int(sent.timestamp()))
        answer = intake.send(TEXT, name="msg_both", webhook_timestamp=stamp, webhook_signature=both)
        assert answer.status_code == 202

        write_business(intake.business, new)
        wait_until(lambda: intake.send(LATE, name="msg_gone").status_code == 401, "old key")
        assert intake.send(LATE, name="msg_new2", secret=new).status_code == 202

        intake.business.write_text("no [ business")
        assert intake.send(LATE, name="msg_new3", secret=new).status_code == 202
    finally:
        write_business(intake.business)
