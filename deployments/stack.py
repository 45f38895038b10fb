"""The embedded stack: Prefect's server, a worker, the sample business; up and down together."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from blocks.errors import (
    ConfigurationError,
    NoBusinessConfigured,
    OrchestratorError,
    StackError,
)
from blocks.prefect_env import RunningStack
from blocks.settings import Settings, get_settings
from deployments.preflight import (
    back_up_prefect_database,
    check_port,
    check_prefect_database,
    state_folder,
)
from deployments.processes import ProcessSpec, Supervisor
from deployments.registration import (
    PREFECT_FILE,
    Registration,
    check_entrypoints,
    read_work_pools,
    register,
    save_pool,
)
from deployments.restart import serve_restarts
from deployments.specs import prefect_url, server_spec, stack_environment, worker_spec

INTERRUPTED = 130  # the shell's exit code for Ctrl-C


class Progress:
    """Says what is being done and how long it took, one line per finished step."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._going_on: list[str] = []
        self._status = console.status("")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step; steps may overlap."""
        started = time.monotonic()
        self._going_on.append(what)
        self._show()
        try:
            yield
            took = time.monotonic() - started
            self.console.print(f"[green]✓[/] {escape(what)} [dim]{took:.1f} s[/]", highlight=False)
        finally:
            self._going_on.remove(what)
            self._show()

    def say(self, sentence: str) -> None:
        """One line that is no step."""
        self.console.print(f"[yellow]•[/] {escape(sentence)}", highlight=False)

    def _show(self) -> None:
        if self._going_on:
            self._status.update(escape(" · ".join(self._going_on)) + " …")
            self._status.start()
        else:
            self._status.stop()


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
        self.supervisor = Supervisor(settings.state_dir / "logs", progress.say)
        self._control: asyncio.Server | None = None
        self._has_sample = False

    async def start(self) -> Registration:
        """Start everything, wait until it answers, and register.

        Raises:
            OrchestratorError: Something cannot start; says what and why.
        """
        os.environ.update(stack_environment(self.settings))
        await _together(
            self._start_server(),
            # Importing the flows takes almost as long as the server's start; the two overlap.
            asyncio.to_thread(check_entrypoints, self._file),
            asyncio.to_thread(self._check_ledger),
        )
        await self._announce()
        pools = await self._prepare_pools()
        registration, *_ = await _together(
            self._register(),
            self._start_sample_if_needed(),
            *(self._start_worker(pool) for pool in pools),
        )
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
        await asyncio.Event().wait()

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

    def _check_ledger(self) -> None:
        from blocks.ledger import Ledger

        Ledger.open(self.settings.effective_ledger_url).close()

    async def _prepare_pools(self) -> list[str]:
        """Workers need their pool, without the runs of an earlier stack."""
        from prefect import get_client

        from deployments.main_job import clear_leftovers

        pools = read_work_pools(self._file).work_pools
        names = [pool.name for pool in pools]
        async with get_client() as client:
            for pool in pools:
                await save_pool(client, pool)
            if count := await clear_leftovers(client, names):
                self.progress.say(f"{count} runs of an earlier stack were settled.")
        return names

    async def _start_worker(self, pool: str) -> None:
        from prefect import get_client

        spec = worker_spec(self.settings, pool)
        started = time.time()

        async def polls() -> bool:
            for worker in await client.read_workers_for_work_pool(pool):
                seen = worker.last_heartbeat_time
                if worker.name == spec.name and seen and seen.timestamp() > started:
                    return True
            return False

        with self.progress.step(f"Worker for {pool}"):
            async with get_client() as client:
                await self.supervisor.start(spec, keep_alive=True, ready=polls)

    async def _register(self) -> Registration:
        with self.progress.step("Registered pools, queues, deployments and configured blocks"):
            return await register(file=self._file)

    async def _start_sample_if_needed(self) -> None:
        from blocks.business import SAMPLE, Business, save_business

        if await _is_configured(self.settings):
            return
        self._has_sample = True
        with self.progress.step("Sample business"):
            file = await self._start_sample()
            await save_business(Business.from_toml(file), origin=SAMPLE)

    async def _start_sample(self) -> Any:
        from deployments.sample import prepare

        sample = await asyncio.to_thread(prepare, self.settings.state_dir, self.settings)
        specs = [ProcessSpec(s.name, s.argv, s.env, s.ready_url) for s in sample.processes]
        for spec in specs:
            assert spec.ready_url is not None
            check_port(
                self.settings.host,
                int(spec.ready_url.split(":")[2].split("/")[0]),
                f"{spec.name} of the sample business",
                "ORCHESTRATOR_SAMPLE_PORT",
            )
        # They are not kept alive: bringing a failed service back is the agents' work.
        await _together(*(self.supervisor.start(spec, keep_alive=False) for spec in specs))
        return sample.business_file

    async def _forget_sample(self) -> None:
        """Nothing may take a business that is not there for one that is failing."""
        from blocks.business import SAMPLE, Business, save_business

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


async def up(console: Console, *, once: bool = False) -> int:
    """Start the stack, do the main job, and serve until Ctrl-C or SIGTERM.

    Args:
        console: Where progress and reports go.
        once: End after the reports.

    Returns:
        Exit code: 0 when all workflows completed (or, serving, when asked to stop), 1 when one
        did not, 130 when interrupted before that.

    Raises:
        OrchestratorError: The stack cannot start; says what to do.
    """
    from deployments.first_reports import show_reports, show_where

    settings = get_settings()
    progress = Progress(console)
    begun = time.monotonic()
    with state_folder(settings):
        check_port(settings.host, settings.prefect_port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
        stack = Stack(settings, progress, migrates=check_prefect_database(settings))
        serving = False
        with _stop_signals(progress):
            try:
                registration = await stack.start()
                ready_in = timedelta(seconds=round(time.monotonic() - begun))
                console.print(f"Ready in {ready_in.seconds} s.\n")
                completed = await show_reports(progress, settings)
                if once:
                    return 0 if completed else 1
                show_where(console, settings, registration)
                serving = True
                await stack.serve()
            except asyncio.CancelledError:
                return 0 if serving else INTERRUPTED
            finally:
                await stack.stop()
    return 0


@contextmanager
def _stop_signals(progress: Progress) -> Iterator[None]:
    """The first signal cancels the current task; the second one ends this process at once.

    The watchdog then ends the others.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = False

    def stop(number: signal.Signals) -> None:
        nonlocal asked
        if asked:
            os._exit(INTERRUPTED)
        asked = True
        progress.say(f"Asked to stop ({number.name}); once more ends it the hard way.")
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _together(*work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> list[Any]:
    """Do things at once; the first failure ends the others and is raised as itself."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _is_configured(settings: Settings) -> bool:
    """Whether the user has a business of their own, even one whose blocks are broken."""
    from blocks.business import SAMPLE, current_business

    if settings.business_file is not None:
        return True
    try:
        business = await current_business()
    except NoBusinessConfigured:
        return False
    except ConfigurationError:
        return True
    return any(block.origin != SAMPLE for block in business.blocks())
