"""The API against its own OpenAPI document: whatever it allows or not is answered as it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case

from blocks.ledger import Ledger
from blocks.ledger.approvals import ApprovalRecord
from blocks.ledger.tokens import Scope
from blocks.messages import utc_now
from blocks.settings import Settings
from deployments.api.app import create_app
from tests.integration.api.conftest import api_settings, serving

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(
    prefect_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The API with all its deployments and a question; its address, and a token for everything."""
    from deployments.registration import register

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


schema = schemathesis.openapi.from_dict(create_app(Settings()).openapi())


@schema.parametrize()
@settings(
    max_examples=15,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_every_answer_is_as_documented(case: Case, served: tuple[str, str]) -> None:
    url, token = served
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {token}"})
