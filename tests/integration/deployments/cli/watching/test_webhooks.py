"""``webhooks`` as a shell sees it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from tests.endpoints import SECRET, event
from tests.forked import orchestrator
from tests.loopback import Reply, Request, serve

pytestmark = pytest.mark.prefect


async def test_what_was_missed_is_seen_and_sent(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        await ledger.partner_events.tell([event(1), event(2)])
    well = False

    def answer(_: Request) -> Reply:
        return Reply("thanks") if well else Reply("", status=410)

    async with serve(answer) as server:
        file = tmp_path / "business.toml"
        file.write_text(
            f'[[endpoints]]\nname = "acme"\nurl = "{server.url}/h"\nsecret = "{SECRET}"\n'
            'ordered_by = "all"\n'
        )

        async def told(*arguments: str) -> tuple[int, str]:
            ended = await asyncio.to_thread(
                orchestrator,
                "webhooks",
                *arguments,
                ORCHESTRATOR_STATE_DIR=str(tmp_path),
                ORCHESTRATOR_BUSINESS_FILE=str(file),
                ORCHESTRATOR_INTERNAL_HOSTS="127.0.0.1",
            )
            return ended.returncode, ended.stdout + ended.stderr

        code, said = await told("test", "acme")
        assert (code, "gone for good (HTTP 410)" in said) == (1, True)
        code, said = await told("endpoints")
        assert (code, "disabled" in said, server.url in said) == (0, True, True)
        code, said = await told("resend", "--missed", "acme")
        assert (code, "is disabled" in said) == (2, True)
        well = True
        code, said = await told("enable", "acme", "--resend")
        assert (code, "acme is told again." in said) == (0, True)
        code, said = await told("--type", "order.sent", "--json")
        log = json.loads(said)
        assert [each["status"] for each in log] == ["done", "done"]
        code, said = await told("show", log[0]["id"][:8])
        assert "It said: thanks" in said
        code, said = await told("resend", log[0]["id"][:8])
        assert (code, said.count("HTTP 200")) == (0, 2)
        assert server.requests[-1].headers["webhook-id"] == log[0]["webhook_id"]
        assert (await told("resend"))[0] == 2
        assert (await told("--status", "lost"))[0] == 2
        code, said = await told("rotate", "acme")
        assert (code, "previous_secret" in said) == (1, True)
        assert SECRET not in said
