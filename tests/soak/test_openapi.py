"""The API against its own OpenAPI document: whatever it allows or not is answered as it says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import PositiveDataAcceptanceConfig

from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from deployments.api.app import create_app
from tests.integration.deployments.api.conftest import api_settings, serving

pytestmark = [pytest.mark.soak, pytest.mark.prefect, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def served(
    prefect_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, str]]:
    """The API with all its deployments and a question; its address, and a token for everything."""
    from deployments.registration.registration import register

    asyncio.run(register())
    own = api_settings(tmp_path_factory.mktemp("api"), api_rate=100_000)
    with serving(own) as url, Ledger.open(own.effective_ledger_url) as ledger:
        now = utc_now()
        question = ApprovalRecord(
            id="3f0c9d5e2b7a4c1d8e6f",
            need_key="k",
            title="May we?",
            proposal={"kind": "nothing"},
            asked_at=now,
            expires_at=now + timedelta(days=1),
        )
        asyncio.run(ledger.approvals.ask(question))
        token, _ = asyncio.run(ledger.tokens.create("t", [Scope.ADMIN], by="t", now=now))
        yield url, token


USABLE = re.compile(r"[\x21-\x7e]{1,255}")

# Which types of task there are, and what each takes, is in the policy, which people change while
# the API runs: no document can say it, so a task of another type is valid by it, and refused. So is
# one that is asked for as a run of route-task, before there is a run.
EXPECTED = [*PositiveDataAcceptanceConfig._DEFAULT_EXPECTED_STATUSES, "422"]
CONFIG = SchemathesisConfig.from_dict(
    {
        # No text of any document may hold NUL, as databases do not keep it: test_errors.py.
        "generation": {"allow-x00": False},
        "operations": [
            {
                "include-path": path,
                "checks": {"positive_data_acceptance": {"expected-statuses": EXPECTED}},
            }
            for path in ("/orchestrate/task", "/orchestrate/workflow")
        ],
    }
)

# What no pattern can say, the document names as a format.
schemathesis.openapi.format(
    "printable", st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1)
)
schemathesis.openapi.format(
    "encoded-data",
    st.one_of(st.text(), st.integers(), st.dictionaries(st.text(), st.booleans())).map(
        lambda data: base64.b64encode(json.dumps(data).encode()).decode()
    ),
)

schema = schemathesis.openapi.from_dict(create_app(Settings()).openapi(), config=CONFIG)


@schema.parametrize()
@settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_every_answer_is_as_documented(case: Case, served: tuple[str, str]) -> None:
    url, token = served
    if "prefer" in case.headers:  # nobody carries the runs out
        case.headers["prefer"] = "wait=0"
    if USABLE.fullmatch(str(case.headers.get("Idempotency-Key", ""))):
        # One key with two bodies is refused, whatever the document says of each.
        case.headers["Idempotency-Key"] = uuid4().hex
    case.call_and_validate(base_url=url, timeout=60, headers={"Authorization": f"Bearer {token}"})
