"""What the API says while the ledger or Prefect is away: soon, plainly, and nothing is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from blocks.ledger import Ledger
from blocks.ledger.callers.requests import Begun
from blocks.vocabulary.messages import utc_now
from deployments.api.context import FRESH, Shared
from deployments.api.http.idempotency import ALIVE
from tests.integration.deployments.api.conftest import api_settings, serving
from tests.loopback import Reply, serve
from tests.waiting import until

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

WORK = {"workflow": "system-status"}
NOBODY = "http://127.0.0.1:9/api"


@pytest.fixture
def silent() -> Iterator[str]:
    """A Prefect server that accepts connections and never says a word."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


@pytest.mark.parametrize("kind", ["gone", "silent"])
async def test_without_prefect_nothing_is_accepted(
    prefect_server: str, tmp_path: Path, silent: str, kind: str
) -> None:
    settings, key = api_settings(tmp_path), uuid4().hex
    with (
        serving(settings, prefect_url=silent if kind == "silent" else NOBODY) as url,
        Ledger.open(settings.effective_ledger_url) as ledger,
    ):
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, timeout=ALIVE.seconds
        ) as api:
            headers = {"Idempotency-Key": key}
            answer = await api.post("/orchestrate/workflow", json=WORK, headers=headers)
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["code"] == "source-unavailable"
            assert "same Idempotency-Key" in answer.json()["hint"]

            answer = await api.get(f"/orchestrate/runs/{uuid4()}")
            assert answer.status_code == 503
            ready = await api.get("/readyz")
            assert (ready.status_code, ready.json()) == (
                503,
                {"ledger": "ok", "prefect": "unavailable", "why": ""},
            )
            assert (await api.get("/livez")).status_code == 200
            assert (await api.get("/orchestrate/status")).status_code == 200, "the ledger's"
        # The key is its request's, and that may be begun again at once.
        now, other = utc_now(), "another request"
        begun = await ledger.requests.begin(key, "local", other, now, now + ALIVE)
        assert not isinstance(begun, Begun)


async def test_what_is_no_prefect_accepts_nothing(tmp_path: Path) -> None:
    async with serve(Reply("<html>hello</html>")) as page:
        with serving(api_settings(tmp_path), prefect_url=f"{page.url}/api") as url:
            async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as api:
                keyed = {"Idempotency-Key": "k"}
                for answer in (
                    await api.post("/orchestrate/workflow", json=WORK, headers=keyed),
                    await api.get(f"/orchestrate/runs/{uuid4()}"),
                ):
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["code"] == "source-unavailable"


@pytest.mark.services
async def test_without_the_ledger_nothing_is_accepted(
    registered: str, tmp_path: Path, postgres_url: str
) -> None:
    settings = api_settings(tmp_path, ledger_url=postgres_url)
    with serving(settings) as url:
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, verify=False, timeout=60
        ) as api:
            all_well = {"ledger": "ok", "prefect": "ok", "why": ""}
            assert (await api.get("/readyz")).json() == all_well
            close(postgres_url, to=True)
            try:
                answers = await asyncio.gather(
                    api.post("/orchestrate/workflow", json=WORK, headers={"Idempotency-Key": "k"}),
                    *(api.get("/orchestrate/status") for _ in range(20)),
                    api.get("/metrics"),
                    api.get("/approvals"),
                )
                for answer in answers:
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["code"] == "ledger-unavailable"
                    assert answer.headers["retry-after"] == "1"
                await asyncio.sleep(FRESH)  # it was asked a moment ago
                ready = await api.get("/readyz")
                assert (ready.status_code, ready.json()["ledger"]) == (503, "unavailable")
                assert (await api.get("/livez")).status_code == 200
            finally:
                close(postgres_url, to=False)
            keyed = {"Idempotency-Key": "k"}
            again = await api.post("/orchestrate/workflow", json=WORK, headers=keyed)
            assert again.status_code == 202, again.text

            async def is_well() -> bool:
                answer = await api.get("/readyz")
                return bool(answer.json() == all_well)

            await until(is_well, "all is well again")


def close(url: str, *, to: bool) -> None:
    """Close a database to everybody, and open it again."""
    target = make_url(url)
    name = target.database
    server = target.set(drivername="postgresql", database="postgres")
    with psycopg.connect(
        server.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if to else 'true'}")  # type: ignore[call-overload]
        if to:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )


async def test_a_figure_is_made_once_for_all_who_wait() -> None:
    made, may = 0, asyncio.Event()

    async def make() -> int:
        nonlocal made
        made += 1
        await may.wait()
        return made

    shared = Shared(make)
    waiting = [asyncio.create_task(shared.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # who began it leaves
    await asyncio.sleep(0)
    may.set()
    came = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(came[0], asyncio.CancelledError)
    assert came[1:] == [1, 1, 1, 1]
    assert await shared.get() == 1


async def test_a_figure_that_cannot_be_made_fails_once_for_all_who_wait() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        if made == 1:
            raise ValueError("no")
        return made

    shared = Shared(make)
    came = await asyncio.gather(*(shared.get() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in came] == [ValueError] * 5
    assert await shared.get() == 2
