"""Writes pools, queues, variables, blocks and deployments to a Prefect server.

One idempotent call. ``prefect.yaml`` is the one list; its deployments are made by the code behind
``prefect deploy --all``, called in this process, so that both ways give the same deployments.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from blocks.errors import ConfigurationError
from blocks.models import Strict
from blocks.settings import PROJECT_ROOT, Settings, get_settings
from deployments.registration.automations import save_automations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import WorkQueue

PREFECT_FILE = PROJECT_ROOT / "prefect.yaml"

ZONE = "orchestrator_timezone"
"""The Prefect variable that holds the zone of schedules."""


class WorkPool(Strict):
    """One work pool of ``prefect.yaml``.

    Attributes:
        name: Its name.
        type: What its runs are; ours are processes.
        description: For the UI.
        worker_limit: Runs that its worker runs at once; None for ``settings.worker_limit``.
        queues: Queue name to priority, 1 goes first.
    """

    name: str
    type: str = "process"
    description: str = ""
    worker_limit: PositiveInt | None = None
    queues: dict[str, PositiveInt] = Field(default_factory=dict)


class Ours(Strict):
    """Our own key of ``prefect.yaml``."""

    work_pools: list[WorkPool]


class Registration(BaseModel):
    """What was written, by name."""

    api_url: str
    pools: list[str]
    blocks: list[str]
    deployments: list[str]
    automations: list[str] = Field(default_factory=list)


async def register(*, file: Path = PREFECT_FILE) -> Registration:
    """Make the Prefect server of this process know everything of ours.

    That is pools and queues, variables, deployments, automations, and as blocks the business of
    ``ORCHESTRATOR_BUSINESS_FILE``, if one is set. What a person made in the UI is kept.

    Args:
        file: The list of pools and deployments.

    Raises:
        ConfigurationError: The file or an entrypoint is broken.
        RequestError: The server refuses it.
        SourceError: The server does not answer as it should.
    """
    from blocks.prefect_api.client import prefect_client

    settings = get_settings()
    ours = read_work_pools(file)
    names = check_entrypoints(file)
    async with prefect_client(deadline=None) as client:
        for pool in ours.work_pools:
            await save_pool(client, pool)
        saved = await _save_blocks(settings)
        await _save_variables(client, ours, settings)
        await _deploy(client, file)
        automations = await save_automations(client, names)
        return Registration(
            api_url=str(client.api_url).rstrip("/"),
            pools=[pool.name for pool in ours.work_pools],
            blocks=saved,
            deployments=names,
            automations=automations,
        )


def read_work_pools(file: Path = PREFECT_FILE) -> Ours:
    """Our own part of ``prefect.yaml``.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        return Ours.model_validate(yaml.safe_load(file.read_text())["orchestrator"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValidationError) as error:
        raise ConfigurationError(
            f"{file}: the key 'orchestrator' cannot be read: {error}.",
            hint="Compare it with the file of the project's repository.",
        ) from None


def check_entrypoints(file: Path = PREFECT_FILE) -> list[str]:
    """Load every flow of ``prefect.yaml`` for real; the names ``flow/deployment``.

    Prefect itself deploys a placeholder for a flow that cannot be imported, which then fails at
    its first run.

    Raises:
        ConfigurationError: A flow cannot be imported.
    """
    from prefect.flows import load_flow_from_entrypoint

    names = []
    for stanza in yaml.safe_load(file.read_text()).get("deployments", []):
        try:
            flow: Any = load_flow_from_entrypoint(stanza["entrypoint"], use_placeholder_flow=False)
        except Exception as error:
            raise ConfigurationError(
                f"Deployment {stanza['name']!r}: {stanza['entrypoint']} cannot be loaded: "
                f"{type(error).__name__}: {error}."
            ) from error
        names.append(f"{flow.name}/{stanza['name']}")
    return names


async def flow_modules(client: PrefectClient, pools: Sequence[str]) -> set[str]:
    """The modules of the flows that ``prefect.yaml`` lists and that are deployed to the pools."""
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    named = WorkPoolFilter(name=WorkPoolFilterName(any_=list(pools)))
    stanzas = yaml.safe_load(PREFECT_FILE.read_text()).get("deployments", [])
    entrypoints = {
        *(stanza["entrypoint"] for stanza in stanzas),
        *(each.entrypoint or "" for each in await client.read_deployments(work_pool_filter=named)),
    }
    modules = {entrypoint.rpartition(":")[0] for entrypoint in entrypoints}
    return {module for module in modules if module and not module.endswith(".py")}


async def save_pool(client: PrefectClient, pool: WorkPool) -> None:
    """Make a work pool and its queues; leaves limits and pauses that a person set.

    Raises:
        ConfigurationError: A pool of that name has another type.
    """
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        existing = await client.read_work_pool(pool.name)
    except ObjectNotFound:
        existing = await client.create_work_pool(
            WorkPoolCreate(
                name=pool.name,
                type=pool.type,
                description=pool.description,
                base_job_template=ProcessWorker.get_default_base_job_template(),
            )
        )
    if existing.type != pool.type:
        raise ConfigurationError(
            f"The work pool {pool.name!r} exists with type {existing.type!r}, not {pool.type!r}.",
            hint=f"Delete it (prefect work-pool delete {pool.name}) or rename it in prefect.yaml.",
        )
    queues = await _queues(client, pool.name)
    # Ascending, because giving a queue a priority pushes the queues at or behind it back by one.
    for name, priority in sorted(pool.queues.items(), key=lambda queue: queue[1]):
        if name not in queues:
            await client.create_work_queue(name, work_pool_name=pool.name, priority=priority)
        elif queues[name].priority != priority:
            await client.update_work_queue(queues[name].id, priority=priority)
        else:
            continue
        queues = await _queues(client, pool.name)


async def _queues(client: PrefectClient, pool: str) -> dict[str, WorkQueue]:
    return {queue.name: queue for queue in await client.read_work_queues(work_pool_name=pool)}


async def _save_variables(client: PrefectClient, ours: Ours, settings: Settings) -> None:
    """What ``prefect.yaml`` refers to, so that plain ``prefect deploy --all`` finds it too.

    And what it says of workers, for those who judge how much they can take.
    """
    from blocks.business.business import local_timezone
    from blocks.prefect_api.calls import WORKER_LIMITS, save_variable

    for name, value in {
        "orchestrator_home": str(PROJECT_ROOT),
        ZONE: await local_timezone(),
        WORKER_LIMITS: {
            pool.name: pool.worker_limit or settings.worker_limit for pool in ours.work_pools
        },
    }.items():
        await save_variable(client, name, value)


async def _save_blocks(settings: Settings) -> list[str]:
    from blocks.business.business import KINDS, current_business, save_business
    from blocks.prefect_api.channels import CHANNELS

    for block in (*KINDS, *CHANNELS):
        await block.register_type_and_schema()  # so that the UI offers them
    if settings.business_file is None:
        return []
    # As runs read it: a part that cannot be used is left out, and keeps nothing else away.
    return await save_business(await current_business(), origin="file")


async def _deploy(client: PrefectClient, file: Path) -> None:
    """What ``prefect deploy --all --no-prompt`` does, without its subprocess (5 s)."""
    from prefect.cli.deploy._config import _load_deploy_configs_and_actions
    from prefect.cli.deploy._core import _run_single_deploy
    from rich.console import Console

    console = Console(file=io.StringIO())
    stanzas, actions = _load_deploy_configs_and_actions(file, console=console)
    with _working_directory(PROJECT_ROOT):
        for stanza in stanzas:
            try:
                await _run_single_deploy(
                    stanza,
                    actions,
                    client=client,
                    prefect_file=file,
                    console=console,
                    is_interactive=lambda: False,
                )
            except ValueError as error:
                raise ConfigurationError(f"{stanza['name']} cannot be deployed: {error}") from None


@contextmanager
def _working_directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)  # module entrypoints are looked up here
    try:
        yield
    finally:
        os.chdir(before)
