"""The API as it is served: over HTTP on loopback, with a ledger of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn
import yaml
from fastapi import FastAPI
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.settings import PROJECT_ROOT, Settings
from blocks.vocabulary.messages import utc_now
from deployments.api.app import create_app, served
from deployments.api.serving import options
from deployments.processes.watchdog import MARK, marked
from deployments.registration.registration import PREFECT_FILE, register
from tests.integration.loopback import free_port
from tests.waiting import wait_until

EVERYTHING = {each["name"] for each in yaml.safe_load(PREFECT_FILE.read_text())["deployments"]}


@dataclass
class Api:
    """A served API, a client of it, and its ledger as another process sees it."""

    settings: Settings
    client: httpx.AsyncClient
    ledger: Ledger

    async def token(self, *scopes: Scope, name: str = "test") -> dict[str, str]:
        """The headers of a new token."""
        text, _ = await self.ledger.tokens.create(name, scopes, by="test", now=utc_now())
        return {"Authorization": f"Bearer {text}"}

    async def post(
        self, path: str, body: Any, *, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """A request with an idempotency key, a new one when none is given."""
        marked = {"Idempotency-Key": key or uuid4().hex, **headers}
        return await self.client.post(path, json=body, headers=marked)


def api_settings(state_dir: Path, **fields: Any) -> Settings:
    """Settings of an API on a free port."""
    return Settings(state_dir=state_dir, api_port=free_port(), **fields)


@contextmanager
def serving(
    settings: Settings, *, prefect_url: str | None = None, app: FastAPI | None = None
) -> Iterator[str]:
    """The API in a thread of this process; yields its address."""
    quick = {"log_level": "critical", "timeout_graceful_shutdown": 1}
    config = uvicorn.Config(
        served(app or create_app(settings), settings), **options(settings) | quick
    )
    server = uvicorn.Server(config)

    def run() -> None:
        with temporary_settings({PREFECT_API_URL: prefect_url} if prefect_url else {}):
            server.run()

    thread = threading.Thread(target=run, name="api")
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "API")
        assert server.started
        yield f"http://127.0.0.1:{settings.api_port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive()


def process_environment(settings: Settings, **variables: str) -> dict[str, str]:
    """The environment of a process that has these settings."""
    own = {
        f"ORCHESTRATOR_{name.upper()}": str(getattr(settings, name))
        for name in settings.model_fields_set
    }
    return {**os.environ, **own, **variables}


@contextmanager
def api_process(settings: Settings, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The API as a process of its own, as the stack starts it; killed with the context."""
    with subprocess.Popen(
        [sys.executable, "-m", "deployments.api"],
        cwd=PROJECT_ROOT,
        env=process_environment(settings, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_live(settings: Settings, process: subprocess.Popen[str]) -> str:
    """Wait until a process answers; its address."""
    url = f"http://127.0.0.1:{settings.api_port}"

    def answers() -> bool:
        assert process.poll() is None, process.stdout and process.stdout.read()
        try:
            return httpx.get(f"{url}/livez", trust_env=False, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, "API process")
    return url


@contextmanager
def working(settings: Settings, log: Path, *pools: str) -> Iterator[None]:
    """A worker for these pools that shares the settings' ledger."""
    mark = uuid4().hex
    environment = process_environment(settings, PREFECT_WORKER_QUERY_SECONDS="1", **{MARK: mark})
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.worker", *pools],
            cwd=PROJECT_ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    with process:
        try:
            yield
        finally:
            for each in marked(mark):
                each.kill()


@pytest_asyncio.fixture
async def registered(prefect_server: str) -> AsyncIterator[str]:
    """The session's Prefect server, with our deployments; its API's URL.

    Nobody carries out what is asked for, and other tests look at what waits: it is removed.
    """
    async with get_client() as client:
        there = {deployment.name for deployment in await client.read_deployments()}
        if not there >= EVERYTHING:  # nobody registered yet, or a test removed some
            await register()
        yield prefect_server
        ours = FlowRunFilter(tags=FlowRunFilterTags(all_=["api"]))
        while runs := await client.read_flow_runs(flow_run_filter=ours, limit=100):
            for run in runs:
                await client.delete_flow_run(run.id)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of the test's API; a module may have fields of its own."""
    return api_settings(tmp_path)


@pytest_asyncio.fixture
async def api(registered: str, settings: Settings) -> AsyncIterator[Api]:
    """The API on a new SQLite ledger and the session's Prefect server."""
    with serving(settings) as url, Ledger.open(settings.effective_ledger_url) as ledger:
        async with httpx.AsyncClient(
            base_url=url, timeout=60, trust_env=False, verify=False
        ) as client:
            yield Api(settings, client, ledger)
