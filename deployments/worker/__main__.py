"""Works on the runs of all work pools: ``python -m deployments.worker [POOL ...]``.

Every pool has a Prefect worker of its own, with its own limit, so that no pool's runs wait for a
slot that another pool's hold. The workers share one process and one event loop, since an
interpreter with Prefect costs seconds and about 100 MB. They learn of runs from the server's events
(``deployments.worker.waking``) and fork the processes of runs (``deployments.worker.warm_worker``).
``prefect worker start --pool POOL`` does the same work for one pool, seconds later.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, NoReturn
from uuid import UUID

import httpx

from blocks.errors import ConfigurationError, OrchestratorError, StackError
from blocks.machine.state_folder import files_for_us_alone
from blocks.prefect_api.env import use_embedded_prefect
from blocks.prefect_api.worker_names import worker_name
from blocks.settings import Settings, get_settings
from deployments.processes.gather import together
from deployments.processes.liveness import answer_probes
from deployments.registration.registration import WorkPool, flow_modules, read_work_pools

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.worker.warm_worker import WarmWorker

_LOOK = 10.0  # seconds between two looks at whether the pools are still there

say = partial(print, flush=True)


async def work(pools: Sequence[WorkPool], settings: Settings) -> NoReturn:
    """Run what is scheduled in the pools, until cancelled.

    A worker that ends takes the others with it: whoever watches this process then sees that a
    pool has no worker, and starts it again.

    Args:
        pools: Where to look for runs.
        settings: How many runs at once, for a pool that sets no limit of its own; how long a fork
            server has to answer.

    Raises:
        ConfigurationError: A pool is not on the server, or is not for processes.
        SourceError: The server does not answer as it should.
        StackError: A worker ended, or its pool was deleted.
    """
    from prefect import get_client
    from prefect.settings import PREFECT_WORKER_HEARTBEAT_SECONDS

    from deployments.worker.forking import Forks
    from deployments.worker.supervision import Supervision
    from deployments.worker.waking import wake_on_events
    from deployments.worker.warm_worker import WarmWorker, base_environment

    async with get_client() as client:
        ids = await _find(client, pools)
        modules = await flow_modules(client, list(ids))
        environment = {**os.environ, **base_environment()}
        async with (
            aclosing(Forks(modules, environment, say, patience=settings.liveness_timeout)) as forks,
            Supervision() as supervision,
        ):
            workers = {
                ids[pool.name]: WarmWorker(
                    work_pool_name=pool.name,
                    name=worker_name(pool.name),
                    limit=pool.worker_limit or settings.worker_limit,
                    heartbeat_interval_seconds=int(PREFECT_WORKER_HEARTBEAT_SECONDS.value()),
                    # Registration makes pools. One that a worker makes lacks our queues and
                    # their order.
                    create_pool_if_not_found=False,
                    forks=forks,
                    supervision=supervision,
                )
                for pool in pools
            }
            await together(
                _watch(client, ids),
                forks.keep_fresh(),
                supervision.keep_listening(),
                wake_on_events(workers),
                *(worker.work_when_woken() for worker in workers.values()),
                *(_work_on(pool.name, workers[ids[pool.name]]) for pool in pools),
            )
    raise AssertionError("None of these returns.")


async def _work_on(pool: str, worker: WarmWorker) -> NoReturn:
    try:
        await worker.start(printer=say)
    except Exception as error:
        raise StackError(
            f"The worker for {pool} failed: {_what(error)}.",
            hint="Its log says more. ./orchestrator up starts it again.",
        ) from error
    raise StackError(f"The worker for {pool} ended by itself.")


async def _find(client: PrefectClient, pools: Sequence[WorkPool]) -> dict[str, UUID]:
    from blocks.prefect_api.client import in_our_words

    async with in_our_words():
        found = await client.read_work_pools()
    there = {pool.name: pool for pool in found}
    for name in (pool.name for pool in pools):
        if name not in there:
            raise ConfigurationError(
                f"There is no work pool {name!r} on {client.api_url}.",
                hint="Make those of prefect.yaml with ./orchestrator register.",
            )
        if there[name].type != "process":
            raise ConfigurationError(
                f"The work pool {name!r} has type {there[name].type!r}, not 'process'.",
                hint=f"Use prefect worker start --pool {name}.",
            )
    return {pool.name: there[pool.name].id for pool in pools}


async def _watch(client: PrefectClient, ids: Mapping[str, UUID]) -> NoReturn:
    """Notice that a pool is gone: to its worker, that looks like a pool without runs."""
    while True:
        await asyncio.sleep(_LOOK)
        try:
            there = {pool.id for pool in await client.read_work_pools()}
        except httpx.HTTPError:
            continue  # the workers themselves give up on a server that stays away
        for name, pool_id in ids.items():
            if pool_id not in there:
                raise StackError(
                    f"The work pool {name!r} was deleted, so its worker has nothing to do.",
                    hint="Make it again with ./orchestrator register.",
                )


def _what(error: BaseException) -> str:
    """The first cause, which task groups wrap in groups of one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _until_stopped(pools: Sequence[WorkPool], settings: Settings, *, echo: bool) -> None:
    """Work until SIGTERM or Ctrl-C, which end the runs; the second one ends this process at once.

    Prefect's own handlers turn SIGTERM into a SIGINT, and so do nothing in a process that was
    started in the background of a script, where SIGINT is ignored.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: signal.Signals) -> None:
        if task.cancelling():
            os.kill(os.getpid(), signal.SIGKILL)
        say(f"Asked to stop ({number.name}); once more ends it the hard way.")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    if echo:
        answer_probes()
    try:
        await work(pools, settings)
    except asyncio.CancelledError:
        say("The workers stopped.")


def main() -> int:
    """The command line; exit code 0 when asked to stop, 1 when a worker cannot go on."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.worker", description="Run what is scheduled in the work pools."
    )
    parser.add_argument("pools", nargs="*", metavar="POOL", help="default: all of prefect.yaml")
    parser.add_argument(
        "--echo", action="store_true", help="answer a supervisor's probes on standard input"
    )
    options = parser.parse_args()
    files_for_us_alone()
    try:
        use_embedded_prefect()
        pools = {pool.name: pool for pool in read_work_pools().work_pools}
        names = options.pools or pools
        _set_up_prefect()
        asyncio.run(
            _until_stopped(
                [pools.get(name, WorkPool(name=name)) for name in dict.fromkeys(names)],
                get_settings(),
                echo=options.echo,
            )
        )
    except OrchestratorError as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        print(error, file=sys.stderr)
        return 1
    return 0


def _set_up_prefect() -> None:
    from prefect.logging.configuration import setup_logging
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise StackError(
            "No Prefect server runs, and a worker needs one.", hint="./orchestrator up"
        )
    setup_logging()


if __name__ == "__main__":
    raise SystemExit(main())
