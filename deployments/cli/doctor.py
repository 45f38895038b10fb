"""``./orchestrator doctor``: what is needed, whether it is there, and what to do if not."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from blocks.errors import ConfigurationError, NoBusinessConfigured, OrchestratorError, StackError
from deployments.cli.app import AsJson, command, existing_ledger, line, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from blocks.ledger.engine.integrity import Soundness
    from blocks.settings import Settings


@dataclass
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        ok: Whether it is as it should be.
        detail: What was found.
        todo: What to do when it is not.
    """

    name: str
    ok: bool
    detail: str
    todo: str = ""


@command
async def doctor(as_json: AsJson = False) -> None:
    """Check everything that is needed, and say what to do where it is not there.

    Exit code 1 when something has to be done.
    """
    checks = await examine()
    show(checks, as_json, _print_checks)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


async def examine() -> list[Check]:
    """Look at everything, and change nothing that means anything: the ledger is tried out."""
    from blocks.prefect_api.env import RunningStack, use_embedded_prefect
    from blocks.settings import get_settings

    checks = await _look({"Python": _python, "requirements": _requirements})
    try:
        settings = get_settings()
    except ConfigurationError as error:
        return [*checks, Check("settings", False, error.what, error.hint)]
    if RunningStack.find(settings.state_dir):  # without one, it would prepare an ephemeral server
        use_embedded_prefect()
    looks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "time zone": _timezone,
        "state folder": _state_folder,
        "ports": _ports,
        "ledger": _ledger,
        "Prefect's database": _prefect_database,
        "Prefect server": _prefect_server,
        "workers": _workers,
        "business": _business,
    }
    return checks + await _look({name: partial(look, settings) for name, look in looks.items()})


async def _look(looks: Mapping[str, Callable[[], Awaitable[str]]]) -> list[Check]:
    checks = []
    for name, look in looks.items():
        try:
            checks.append(Check(name, True, await look()))
        except OrchestratorError as error:
            checks.append(Check(name, False, error.what, error.hint))
    return checks


def _print_checks(checks: list[Check], console: Console) -> None:
    """One line per check, and one below it that says what to do."""
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        line(f"{mark} {check.name:20}{escape(check.detail)}", console)
        if check.todo:
            line(f"  [yellow]→ {escape(check.todo)}[/]", console)


async def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


async def _requirements() -> str:
    from importlib.metadata import PackageNotFoundError, version

    from blocks.settings import PROJECT_ROOT

    lock = (PROJECT_ROOT / "requirements.txt").read_text()
    wrong = []
    # Lines with a marker are for some platforms only; pip has judged those.
    for name, locked in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+) \\$", lock, re.MULTILINE):
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "missing"
        if installed != locked:
            wrong.append(f"{name} {installed} (locked: {locked})")
    if wrong:
        raise StackError(", ".join(wrong[:5]), hint="make setup")
    return f"as locked, Prefect {version('prefect')}"


async def _timezone(settings: Settings) -> str:
    from zoneinfo import ZoneInfo

    if not settings.timezone:
        return "schedules follow the store's own"
    now = datetime.now(ZoneInfo(settings.timezone))
    return f"{settings.timezone}, where it is {now:%H:%M}; schedules follow it"


async def _state_folder(settings: Settings) -> str:
    from blocks.machine.state_folder import open_to_others
    from deployments.stack.preflight import check_space

    folder = settings.state_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{folder} cannot be written.",
            hint="Set ORCHESTRATOR_STATE_DIR to a folder that you may write.",
        )
    if existing == folder and open_to_others(folder):
        raise ConfigurationError(
            f"Other users may look into {folder}, where orders, alerts and keys lie.",
            hint=f"chmod 700 {folder}, or set ORCHESTRATOR_STATE_DIR to a folder of its own; "
            "./orchestrator up closes one that holds nothing else.",
        )
    return f"{folder}, {check_space(existing) / 1e9:.0f} GB free"


async def _ports(settings: Settings) -> str:
    from blocks.prefect_api.env import RunningStack
    from deployments.processes.listening import check_port

    if RunningStack.find(settings.state_dir):
        return "in use by the running stack"
    check_port(settings.host, settings.prefect_port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
    return f"{settings.prefect_port} is free"


async def _ledger(_: Settings) -> str:
    from blocks.ledger.engine.health import DEADLINE
    from deployments.services.examining import AT_MOST

    with existing_ledger(migrate=False, patience=DEADLINE) as ledger:
        if ledger is None:
            return "not made yet; the first run makes it"
        found = await ledger.health.require_sound(AT_MOST)
        await ledger.health.check()
        version = await ledger.schema_version()
        return f"{ledger.where}, schema {version}, takes writes, {_looked_at(found)}"


def _looked_at(found: Soundness) -> str:
    from deployments.services.examining import AT_MOST

    return "sound" if found.whole else f"sound as far as {AT_MOST:.0f} s were enough to look"


async def _prefect_database(settings: Settings) -> str:
    from deployments.services.examining import AT_MOST
    from deployments.stack.preflight import (
        check_prefect_database,
        examine_prefect_database,
        prefect_database,
    )

    migrates = check_prefect_database(settings)
    told = f"{prefect_database(settings) or 'as configured'}"
    if (found := await asyncio.to_thread(examine_prefect_database, settings, AT_MOST)) is not None:
        told += f", takes writes, {_looked_at(found)}"
    return told + ("; the next start makes or migrates it" if migrates else "")


async def _prefect_server(_: Settings) -> str:
    from prefect import __version__

    async with _prefect() as client:
        version = await client.api_version()
    if version != __version__:
        raise StackError(
            f"It is Prefect {version}, ours is {__version__}.",
            hint="Run the same version on both sides.",
        )
    return f"{os.environ['PREFECT_API_URL']}, version {version}"


async def _workers(_: Settings) -> str:
    from blocks.prefect_api.calls import pools as read_pools
    from blocks.vocabulary.messages import utc_now
    from deployments.registration.registration import read_work_pools

    async with _prefect() as client:
        found = await read_pools(client, utc_now())
    online = {pool.name for pool in found if pool.online}
    pools = [pool.name for pool in read_work_pools().work_pools]
    if missing := [pool for pool in pools if pool not in online]:
        raise StackError(
            f"No worker polls {', '.join(missing)}, so nothing runs there by schedule or UI.",
            hint=f"./orchestrator up, or: python -m deployments.worker {' '.join(missing)}",
        )
    return f"online for {', '.join(pools)}"


@asynccontextmanager
async def _prefect() -> AsyncIterator[PrefectClient]:
    if not os.environ.get("PREFECT_API_URL"):
        raise StackError("No Prefect server runs.", hint="./orchestrator up")
    from blocks.prefect_api.client import prefect_client

    async with prefect_client() as client:
        yield client


async def _business(settings: Settings) -> str:
    from blocks.business.business import current_business

    if settings.business_file is None and not os.environ.get("PREFECT_API_URL"):
        raise NoBusinessConfigured(
            "Not known without a Prefect server, which keeps it, or a business file.",
            hint="./orchestrator up, or set ORCHESTRATOR_BUSINESS_FILE.",
        )
    from flows.reports.model import count

    business = await current_business()
    if business.left_out:
        raise ConfigurationError(
            f"A part of it cannot be used, and is left out: {' '.join(business.left_out)}",
            hint="Everything else goes on without it.",
        )
    return (
        f"{business.name}: {'a store' if business.store else 'no store'}, "
        f"{count(len(business.suppliers), 'supplier')}, "
        f"{count(len(business.services), 'service')}, "
        f"{count(len(business.webhooks), 'webhook source')}, "
        f"{count(len(business.endpoints), 'webhook endpoint')}"
    )
