"""The log of webhooks and the partners' endpoints over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from blocks.ledger.callers.tokens import Scope
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from tests.endpoints import SECRET, endpoint, event, look
from tests.integration.deployments.api.conftest import Api
from tests.loopback import Loopback, Reply, serve

pytestmark = pytest.mark.prefect


@pytest.fixture
async def partner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loopback]:
    """A partner whose endpoint is configured as ``acme``."""
    async with serve(Reply("thanks")) as server:
        file = tmp_path / "business.toml"
        file.write_text(
            f'[[endpoints]]\nname = "acme"\nurl = "{server.url}/h"\nsecret = "{SECRET}"\n'
        )
        monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
        get_settings.cache_clear()
        yield server
    monkeypatch.undo()
    get_settings.cache_clear()


async def test_the_log_is_searched_and_what_is_over_is_sent_again(
    api: Api, partner: Loopback
) -> None:
    acme = endpoint("acme", partner.url)
    await api.ledger.partner_events.tell([event(1, "order:PO-1"), event(2, "order:PO-2")])
    await look(api.ledger, acme)
    every = (await api.client.get("/deliveries")).json()
    assert [each["status"] for each in every] == ["done", "done"]
    assert every[0]["attempts"][0]["answer"] == "thanks"
    later = (utc_now() + timedelta(hours=1)).isoformat()
    for query, number in [
        ({"endpoint": "acme"}, 2),
        ({"endpoint": "none"}, 0),
        ({"key": "order:PO-1"}, 1),
        ({"type": "order.sent"}, 2),
        ({"type": "report.ready"}, 0),
        ({"status": "failed"}, 0),
        ({"since": later}, 0),
        ({"text": "THANKS"}, 2),
        ({"text": '"number": 2'}, 1),
        ({"text": "%"}, 0),
        ({"limit": "1"}, 1),
    ]:
        found = (await api.client.get("/deliveries", params=query)).json()
        assert len(found) == number, query
    one = every[1]
    assert (await api.client.get(f"/deliveries/{one['id'][:8]}")).json() == one
    answer = await api.post(f"/deliveries/{one['id'][:8]}/resend", None)
    assert (answer.status_code, answer.json()["status"]) == (200, "intended")
    again = await api.post(f"/deliveries/{one['id']}/resend", None)
    assert again.status_code == 422
    assert "is not over" in again.json()["detail"]
    await look(api.ledger, acme)
    ids = [each.headers["webhook-id"] for each in partner.requests]
    assert ids.count(one["webhook_id"]) == 2


async def test_an_endpoint_is_tested_disabled_and_enabled(api: Api, partner: Loopback) -> None:
    tested = (await api.post("/endpoints/acme/test", None)).json()
    assert (tested["status"], tested["type"]) == ("done", "endpoint.test")
    assert (await api.post("/endpoints/acmee/test", None)).status_code == 404
    off = await api.post("/endpoints/acme/disable", {"note": "They are moving."})
    assert (off.json()["enabled"], off.json()["why"]) == (False, "They are moving.")
    acme = endpoint("acme", partner.url)
    await api.ledger.partner_events.tell([event(1)])
    await look(api.ledger, acme)
    [view] = (await api.client.get("/endpoints")).json()
    assert (view["state"]["enabled"], view["place"]) == (False, partner.url)
    assert (await api.post("/endpoints/acme/resend", {})).status_code == 422
    on = await api.post("/endpoints/acme/enable", {"resend": True})
    assert on.json()["enabled"]
    await look(api.ledger, acme)
    assert len(partner.requests) == 2
    assert (await api.post("/endpoints/acme/resend", {})).json() == {"resent": 0}


async def test_who_may_only_read_changes_nothing(api: Api, partner: Loopback) -> None:
    reader = await api.token(Scope.READ)
    assert (await api.client.get("/endpoints", headers=reader)).status_code == 200
    for path in ("test", "enable", "disable", "resend"):
        answer = await api.post(f"/endpoints/acme/{path}", {}, **reader)
        assert answer.status_code == 403, path
