"""An endpoint's configuration: what it takes, what it signs with, what of it is never shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.business.business import Business
from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.business.webhooks.signatures import key_of, verify
from blocks.errors import ConfigurationError
from tests.endpoints import OTHER_SECRET, SECRET, endpoint

BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)


def test_it_signs_as_standard_webhooks_says() -> None:
    """The vector of the specification's reference libraries."""
    headers = endpoint("acme", "https://a.example/").signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", AT, BODY
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_its_secret_is_changed_it_signs_with_both() -> None:
    both = endpoint("acme", "https://a.example/", secret=OTHER_SECRET, previous_secret=SECRET)
    headers = both.signed("m", AT, BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OTHER_SECRET):
        assert verify([key_of(secret)], headers, BODY, AT).id == "m"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "ftp://a.example/"}, "not an http or https URL"),
        ({"url": "https://ann:pw@a.example/"}, "user name or password"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64 bytes"),
        ({"event_types": ["order.lost"]}, "no type of event"),
        ({"event_types": []}, "at least 1 item"),
        ({"headers": {"webhook-id": "x"}}, "not yours to set"),
        ({"headers": {"Content-Type": "x"}}, "not yours to set"),
        ({"headers": {"X-A": "a\r\nb"}}, "cannot be sent"),
        ({"headers": {"X A": "a"}}, "no name of a header"),
        ({"ordered_by": "time"}, "'none', 'subject', 'resource' or 'all'"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_its_secret(
    given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError) as error:
        WebhookEndpoint.model_validate(
            {"name": "acme", "url": "https://a.example/", "secret": SECRET} | given
        )
    assert told in str(error.value)
    assert SECRET not in str(error.value)


def test_a_file_names_it_and_only_what_can_be_nothing_but_internal_counts_as_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", SECRET)
    file = tmp_path / "business.toml"
    one = '[[endpoints]]\nname = "{}"\nurl = "http://{}/t0-canary"\nsecret = "${{KEY}}"\n'
    file.write_text(one.format("inside", "10.0.0.7:9") + one.format("partner", "acme.example"))
    business = Business.from_toml(file)
    inside, partner = business.endpoints
    assert (inside.reach.hosts, partner.reach.hosts) == (("10.0.0.7",), ())
    assert (inside.place, partner.place) == ("http://10.0.0.7:9", "http://acme.example")
    for secret in ("canary", SECRET):
        assert secret not in repr(business)
    file.write_text(one.format("a", "a.example") + 'secrets = "x"\n')
    with pytest.raises(ConfigurationError, match=r"endpoints\[0\].secrets: there is no such key"):
        Business.from_toml(file)
