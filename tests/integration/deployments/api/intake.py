"""An API that takes events in, with a business that names who may send webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from blocks.business.webhooks.signatures import new_secret
from blocks.settings import Settings, get_settings
from blocks.vocabulary.messages import utc_now
from tests.integration.deployments.api.conftest import api_settings, serving

NO_PREFECT = "http://127.0.0.1:9/api"
"""Nothing listens there: events are taken in all the same."""

SECRET = new_secret()


@dataclass
class Intake:
    """A served API, a client of it, and what it reads."""

    settings: Settings
    client: httpx.Client
    business: Path

    def send(
        self,
        body: bytes | str | Any,
        *,
        to: str = "shop",
        name: str = "msg_1",
        secret: str = SECRET,
        ago: float = 0,
        **headers: str | None,
    ) -> httpx.Response:
        """A webhook, signed by the official library."""
        raw = body if isinstance(body, bytes | str) else json.dumps(body)
        sent = utc_now() - timedelta(seconds=ago)
        text = raw if isinstance(raw, str) else raw.decode()
        given = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(secret).sign(name, sent, text),
        } | {key.replace("_", "-"): value for key, value in headers.items()}
        return self.client.post(
            f"/webhooks/{to}",
            content=raw,
            headers={key: value for key, value in given.items() if value is not None},
        )

    def kept(self, source: str = "shop") -> dict[str, dict[str, Any]]:
        """The events of a source as the ledger has them, by id."""
        engine = sa.create_engine(self.settings.effective_ledger_url, poolclass=sa.NullPool)
        query = sa.text("SELECT * FROM events WHERE source = :source")
        with closing(engine.connect()) as connection:
            rows = connection.execute(query, {"source": source}).mappings().all()
        return {row["id"]: dict(row) | {"data": _read(row["data"])} for row in rows}


def _read(data: Any) -> Any:
    return json.loads(data) if isinstance(data, str) else data


def write_business(file: Path, secret: str = SECRET, previous: str | None = None) -> None:
    """A business with one sender of webhooks."""
    old = f'previous_secret = "{previous}"\n' if previous else ""
    file.write_text(
        f'[[webhooks]]\nname = "shop"\nsecret = "{secret}"\n{old}subject = "sku:{{data.sku}}"\n'
    )


@contextmanager
def open_intake(folder: Path, prefect_url: str = NO_PREFECT, **fields: Any) -> Iterator[Intake]:
    """The API in a thread of this process."""
    business = folder / "business.toml"
    write_business(business)
    settings = api_settings(folder, business_file=business, **fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(business))
        get_settings.cache_clear()
        try:
            with (
                serving(settings, prefect_url=prefect_url) as url,
                httpx.Client(base_url=url, timeout=60, trust_env=False, verify=False) as client,
            ):
                yield Intake(settings, client, business)
        finally:
            get_settings.cache_clear()
