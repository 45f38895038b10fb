"""Probes in a business file: what they are, what they may call, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.business.business import Business
from blocks.errors import ConfigurationError
from blocks.vocabulary.severity import Severity

SECRET = "canary-7f3a"

GOOD = """
[[probes]]
name = "front"
severity = "critical"
[probes.check]
kind = "http"
url = "http://front.internal/health"
auth = "bearer"
credential = "${FRONT_TOKEN}"
fields = {"db.status" = "ok"}

[[probes]]
name = "mail"
[probes.check]
kind = "tcp"
host = "mail.internal"
port = 25
banner = "ESMTP"

[[probes]]
name = "orders"
[probes.check]
kind = "sql"
url = "postgresql://ops:${FRONT_TOKEN}@db.internal/shop"
query = "SELECT count(*) FROM late"
at_most = 5
"""


def read(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Business:
    monkeypatch.setenv("FRONT_TOKEN", SECRET)
    file = folder / "business.toml"
    file.write_text(text)
    return Business.from_toml(file)


def test_they_may_call_what_they_name_and_keep_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, mail, orders = read(tmp_path, GOOD, monkeypatch).probes
    assert [p.check.kind for p in (front, mail, orders)] == ["http", "tcp", "sql"]
    assert front.severity is Severity.CRITICAL
    named = [list(p.internal_hosts) for p in (front, mail, orders)]
    assert named == [["front.internal"], ["mail.internal"], ["db.internal"]]
    assert SECRET not in repr((front, orders))


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ('kind = "ping"', r"probes\[0\].check.kind does not say what is asked"),
        ('host = "x"', r"probes\[0\].check.kind does not say what is asked"),
        ('kind = "tcp"\nhost = "x"\nprot = 1', r"probes\[0\].check.prot: there is no such key"),
        ('kind = "tcp"\nhost = "x"', r"probes\[0\].check.port: Field required"),
        ('kind = "http"\nurl = "ftp://x"', r"probes\[0\].check: .*not an http or https URL"),
        ('kind = "http"\nurl = "http://x"\nauth = "basic"', "needs a credential"),
        ('kind = "sql"\nurl = "oracle://u:canary-7f3a@x/y"', "type 'oracle' are not supported"),
        ('kind = "sql"\nurl = "sqlite:///x.db"\nquery = "DROP TABLE x"', "asks one SELECT"),
        ('kind = "dns"\nhostname = "x"\naddresses = ["nowhere"]', "does not appear to be"),
    ],
)
def test_what_cannot_be_asked_is_named_by_its_key_and_not_by_its_value(
    check: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=told) as refused:
        read(tmp_path, f'[[probes]]\nname = "one"\n[probes.check]\n{check}\n', monkeypatch)
    assert SECRET not in str(refused.value)


def test_a_service_needs_the_credential_that_its_auth_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = '[[services]]\nname = "one"\nhealth_url = "http://x/health"\nauth = "bearer"\n'
    with pytest.raises(ConfigurationError, match="needs a credential"):
        read(tmp_path, service, monkeypatch)
