"""Who is concerned by what, and how audiences are written in a policy file."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.policy.notify_rules import Audience, NotifyRules
from blocks.policy.policy import Policy
from deployments.cli.policy import read_changes_file

CHANGES = """
[notify.audiences.owner]
channels = ["mail/owner"]
daily_report = true

[notify.audiences.buyer]
channels = ["mail/buyer"]
about = ["*/sku:*"]
orders = true
quiet = { begins = 22:00:00, ends = "07:00" }

[notify.audiences.on-call]
channels = ["apprise/pager", "mail/owner"]
about = ["service-*", "*/store:*"]
may_wake = true
repeat_hours = 4
"""


def test_a_policy_file_names_the_audiences(tmp_path: Path) -> None:
    file = tmp_path / "changes.toml"
    file.write_text(CHANGES)
    rules = Policy.extended(read_changes_file(file)).notify
    assert list(rules.audiences) == ["owner", "buyer", "on-call"]
    quiet = rules.audiences["buyer"].quiet
    assert quiet is not None
    assert (quiet.begins, quiet.ends) == (time(22), time(7))
    assert rules.channels == ["mail/owner", "mail/buyer", "apprise/pager"]


def test_who_is_concerned_and_all_where_nobody_is() -> None:
    buyer, on_call = Audience(about=["*/sku:*"]), Audience(about=["service-*"])
    rules = NotifyRules(audiences={"buyer": buyer, "on-call": on_call})
    assert list(rules.concerned("stock-out/sku:7")) == ["buyer"]
    assert list(rules.concerned("service-down/service:till")) == ["on-call"]
    assert list(rules.concerned("data-stale/store:shop")) == ["buyer", "on-call"]
    assert list(NotifyRules().concerned("anything/at:all")) == ["owner"]


@pytest.mark.parametrize(
    "audience",
    [
        {"about": []},
        {"worth_telling": "dreadful"},
        {"repeat_hours": 0},
        {"repeat_hours": "nan"},
        {"chanels": ["mail/owner"]},
        {"quiet": {"begins": "22:00"}},
        {"quiet": {"begins": "25:00", "ends": "07:00"}},
    ],
)
def test_a_slip_is_refused(audience: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.extended({"notify": {"audiences": {"owner": audience}}})
