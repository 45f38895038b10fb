"""The embedded stack: Prefect's server, a worker, the sample business; up and down together."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blocks.errors import (
    ConfigurationError,
    NoBusinessConfigured,
    OrchestratorError,
    StackError,
)
from blocks.prefect_api.env import RunningStack
from blocks.prefect_api.worker_names import worker_name
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from deployments.console.progress import Progress
from deployments.processes.gather import together
from deployments.processes.listening import check_port
from deployments.processes.restart import serve_restarts
from deployments.processes.specs import (
    api_spec,
    api_url,
    prefect_url,
    server_spec,
    stack_environment,
    worker_spec,
)
from deployments.processes.supervisor import ProcessSpec, Supervisor
from deployments.registration.registration import (
    PREFECT_FILE,
    Registration,
    check_entrypoints,
    read_work_pools,
    register,
    save_pool,
)
from deployments.stack.preflight import back_up_prefect_database

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


class Stack:
    """Everything that ``./orchestrator up`` starts, on a state folder that the caller holds.

    Args:
        settings: Where and on which ports.
        progress: Told of every step.
        migrates: Whether the server is going to make or migrate its database.
        file: The list of pools and deployments.
    """

    def __init__(
        self,
        settings: Settings,
        progress: Progress,
        *,
        migrates: bool = False,
        file: Path = PREFECT_FILE,
    ) -> None:
        self.settings = settings
        self._migrates = migrates
        self._file = file
        self.progress = progress
        self.supervisor = Supervisor(
            settings.state_dir / "logs", progress.say, patience=settings.liveness_timeout
        )
        self._control: asyncio.Server | None = None
        self._has_sample = False

    async def start(self) -> Registration:
        """Start everything, wait until it answers, and register.

        Raises:
            OrchestratorError: Something cannot start; says what and why.
        """
        os.environ.update(stack_environment(self.settings))
        await together(
            self._start_server(),
            # Importing the flows takes almost as long as the server's start; the two overlap.
            asyncio.to_thread(check_entrypoints, self._file),
            self._check_ledger(),
        )
        await self._announce()
        registration, sample, _ = await together(
            self._serve_pools(), self._start_sample_if_needed(), self._start_api()
        )
        if sample is not None:
            # Not beside the registration: both make the block types that a new server lacks.
            await self._save_sample(sample)
        await self._announce()
        assert isinstance(registration, Registration)
        return registration

    async def stop(self) -> None:
        """Stop everything that was started."""
        with self.progress.step("Stopping"):
            if self._has_sample:
                await self._forget_sample()
            RunningStack.path(self.settings.state_dir).unlink(missing_ok=True)
            if self._control is not None:
                self._control.close()
            await self.supervisor.stop()

    async def serve(self) -> None:
        """Keep everything running until the surrounding task is cancelled."""
        from blocks.ledger import Ledger
        from deployments.services.loop import keep_settling
        from deployments.services.run_monitoring import Reconciler

        with Ledger.open(self.settings.effective_ledger_url, migrate=False) as ledger:
            pools = [pool.name for pool in read_work_pools(self._file).work_pools]
            reconciler = Reconciler(pools, ledger, self.progress.say)
            await keep_settling(ledger, reconciler, self.progress.say)

    async def _start_server(self) -> None:
        what = f"Prefect server on {prefect_url(self.settings)}"
        copy = None
        if self._migrates:
            what += " (its database is made or migrated first, about 20 s)"
            copy = back_up_prefect_database(self.settings)
        try:
            with self.progress.step(what):
                await self.supervisor.start(
                    server_spec(self.settings), keep_alive=True, timeout=300
                )
        except StackError as error:
            if copy is None:
                raise
            raise StackError(
                error.what,
                hint=f"{error.hint} Its database as it was before is {copy}: put it back and "
                "install the Prefect that wrote it, or move both aside to start anew.",
            ) from None

    async def _check_ledger(self) -> None:
        from blocks.ledger import Ledger
        from deployments.services.examining import AT_MOST

        ledger = await asyncio.to_thread(Ledger.open, self.settings.effective_ledger_url)
        with ledger:
            await ledger.health.require_sound(AT_MOST)
            await ledger.health.check()

    async def _serve_pools(self) -> Registration:
        pools = await self._prepare_pools()
        registration, _ = await together(self._register(), self._start_worker(pools))
        assert isinstance(registration, Registration)
        return registration

    async def _prepare_pools(self) -> list[str]:
        """Workers need their pool, and find there what an earlier stack left to do."""
        from prefect import get_client

        from blocks.ledger import Ledger
        from deployments.services.run_monitoring import Reconciler

        pools = read_work_pools(self._file).work_pools
        names = [pool.name for pool in pools]
        async with get_client() as client:
            for pool in pools:
                await save_pool(client, pool)
        with Ledger.open(self.settings.effective_ledger_url, migrate=False) as ledger:
            await Reconciler(names, ledger, self.progress.say).start_over(utc_now())
        return names

    async def _start_worker(self, pools: Sequence[str]) -> None:
        from httpx import HTTPError
        from prefect import get_client

        spec = worker_spec(pools)

        async def polls() -> bool:
            # Also asked long after this function, whenever the worker was started again: hence a
            # client of its own each time, and the server may just be starting again, too.
            started = time.time() - self.supervisor.age(spec.name)
            try:
                async with get_client() as client:
                    for pool in pools:
                        if not await _polled(client, pool, since=started):
                            return False
            except HTTPError:
                return False
            return True

        with self.progress.step(f"Worker for {', '.join(pools)}"):
            await self.supervisor.start(spec, keep_alive=True, ready=polls)

    async def _start_api(self) -> None:
        with self.progress.step(f"API on {api_url(self.settings)}"):
            await self.supervisor.start(api_spec(self.settings), keep_alive=True)

    async def _register(self) -> Registration:
        with self.progress.step("Registered pools, queues, deployments and configured blocks"):
            registration = await register(file=self._file)
        from agents.registry import registry
        from flows.orchestrator.dispatch.policy import policy_fault

        if fault := await policy_fault(registry()):
            self.progress.say(f"The policy that was used last stands in: {fault}")
        return registration

    async def _start_sample_if_needed(self) -> Path | None:
        if await _is_configured(self.settings):
            return None
        self._has_sample = True
        with self.progress.step("Sample business"):
            return await self._start_sample()

    async def _save_sample(self, file: Path) -> None:
        from blocks.business.business import SAMPLE, Business, save_business

        await save_business(Business.from_toml(file), origin=SAMPLE)

    async def _start_sample(self) -> Path:
        from deployments.sample.business import prepare

        sample = await asyncio.to_thread(prepare, self.settings.state_dir, self.settings)
        specs = [ProcessSpec(s.name, s.argv, s.env, s.ready_url) for s in sample.processes]
        ports = {spec.name: urlsplit(spec.ready_url or "").port or 0 for spec in specs}
        for name, port in {**ports, "the mail server": sample.mail_port}.items():
            check_port(
                self.settings.host,
                port,
                f"{name} of the sample business",
                "ORCHESTRATOR_SAMPLE_PORT",
            )
        # They are not kept alive: bringing a failed service back is the agents' work.
        await together(*(self.supervisor.start(spec, keep_alive=False) for spec in specs))
        return sample.business_file

    async def _forget_sample(self) -> None:
        """Nothing may take a business that is not there for one that is failing."""
        from blocks.business.business import SAMPLE, Business, save_business

        with suppress(OrchestratorError, TimeoutError):
            async with asyncio.timeout(5):
                await save_business(Business(store=None), origin=SAMPLE)

    async def _announce(self) -> None:
        if self._control is None:
            self._token = secrets.token_urlsafe(24)
            self._control = await serve_restarts(self.supervisor, self._token)
        RunningStack(
            pid=os.getpid(),
            id=self.supervisor.id,
            api_url=f"{prefect_url(self.settings)}/api",
            control_port=self._control.sockets[0].getsockname()[1],
            control_token=self._token,
            processes=self.supervisor.names,
        ).announce(self.settings.state_dir)


async def _polled(client: PrefectClient, pool: str, *, since: float) -> bool:
    """Whether the worker of a pool has reported since a time (seconds of the epoch)."""
    from prefect.exceptions import ObjectNotFound

    try:
        workers = await client.read_workers_for_work_pool(pool)
    except ObjectNotFound:
        return False
    beats = [w.last_heartbeat_time for w in workers if w.name == worker_name(pool)]
    return any(beat is not None and beat.timestamp() > since for beat in beats)


async def _is_configured(settings: Settings) -> bool:
    """Whether the user has a business of their own, even one whose blocks are broken."""
    from blocks.business.business import SAMPLE, current_business

    if settings.business_file is not None:
        return True
    try:
        business = await current_business()
    except NoBusinessConfigured:
        return False
    except ConfigurationError:
        return True
    return any(block.origin != SAMPLE for block in business.blocks())
