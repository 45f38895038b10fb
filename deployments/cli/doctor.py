"""``./orchestrator doctor``: what is needed, whether it is there, and what to do if not."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import httpx
from pydantic import BaseModel
from rich.console import Console

from blocks.errors import ConfigurationError, NoBusinessConfigured, OrchestratorError, StackError
from blocks.prefect_api.env import RunningStack, use_embedded_prefect
from blocks.settings import PROJECT_ROOT, Settings, get_settings
from blocks.state_folder import open_to_others
from deployments.console.markup import escape
from deployments.services.examining import AT_MOST

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from blocks.ledger.engine.integrity import Soundness

T = TypeVar("T")


class Check(BaseModel):
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


async def examine() -> list[Check]:
    """Look at everything, and change nothing that means anything: the ledger is tried out."""
    checks = [_python(), _requirements()]
    try:
        settings = get_settings()
    except ConfigurationError as error:
        return [*checks, Check(name="settings", ok=False, detail=error.what, todo=error.hint)]
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
    for name, look in looks.items():
        try:
            checks.append(Check(name=name, ok=True, detail=await look(settings)))
        except OrchestratorError as error:
            checks.append(Check(name=name, ok=False, detail=error.what, todo=error.hint))
    return checks


def print_checks(checks: list[Check], console: Console) -> None:
    """One line per check, and one below it that says what to do."""
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        console.print(
            f"{mark} {check.name:20}{escape(check.detail)}", highlight=False, soft_wrap=True
        )
        if check.todo:
            console.print(f"  [yellow]→ {escape(check.todo)}[/]", highlight=False, soft_wrap=True)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        name="Python",
        ok=sys.version_info >= (3, 11),
        detail=version,
        todo="" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer; make setup.",
    )


def _requirements() -> Check:
    lock = (PROJECT_ROOT / "requirements.txt").read_text()
    wrong = []
    # Lines with a marker are for some platforms only; pip has judged those.
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+) \\$", lock, re.MULTILINE):
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            wrong.append(f"{name} {installed} (locked: {version})")
    return Check(
        name="requirements",
        ok=not wrong,
        detail=", ".join(wrong[:5])
        or f"as locked, Prefect {importlib.metadata.version('prefect')}",
        todo="make setup" if wrong else "",
    )


async def _timezone(settings: Settings) -> str:
    if not settings.timezone:
        return "schedules follow the store's own"
    now = datetime.now(ZoneInfo(settings.timezone))
    return f"{settings.timezone}, where it is {now:%H:%M}; schedules follow it"


async def _state_folder(settings: Settings) -> str:
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
    from deployments.stack.preflight import check_port

    if RunningStack.find(settings.state_dir):
        return "in use by the running stack"
    check_port(settings.host, settings.prefect_port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
    return f"{settings.prefect_port} is free"


async def _ledger(settings: Settings) -> str:
    from blocks.ledger import Ledger
    from blocks.ledger.engine.health import DEADLINE
    from deployments.cli.status import has_ledger

    if not has_ledger(settings):
        return "not made yet; the first run makes it"
    with Ledger.open(settings.effective_ledger_url, migrate=False, patience=DEADLINE) as ledger:
        found = await ledger.health.require_sound(AT_MOST)
        await ledger.health.check()
        version = await ledger.schema_version()
    return f"{ledger.where}, schema {version}, takes writes, " + _looked_at(found)


def _looked_at(found: Soundness) -> str:
    return "sound" if found.whole else f"sound as far as {AT_MOST:.0f} s were enough to look"


async def _prefect_database(settings: Settings) -> str:
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


async def _prefect_server(settings: Settings) -> str:
    from prefect import __version__

    version = await _ask_prefect(lambda client: client.api_version())
    if version != __version__:
        raise StackError(
            f"It is Prefect {version}, ours is {__version__}.",
            hint="Run the same version on both sides.",
        )
    return f"{os.environ['PREFECT_API_URL']}, version {version}"


async def _workers(settings: Settings) -> str:
    from deployments.registration.registration import read_work_pools

    pools = [pool.name for pool in read_work_pools().work_pools]
    online = await _ask_prefect(lambda client: _online(client, pools))
    if missing := [pool for pool in pools if pool not in online]:
        raise StackError(
            f"No worker polls {', '.join(missing)}, so nothing runs there by schedule or UI.",
            hint=f"./orchestrator up, or: python -m deployments.worker {' '.join(missing)}",
        )
    return f"online for {', '.join(pools)}"


async def _online(client: PrefectClient, pools: list[str]) -> set[str]:
    from prefect.exceptions import ObjectNotFound

    found = set()
    for pool in pools:
        try:
            workers = await client.read_workers_for_work_pool(pool)
        except (ObjectNotFound, httpx.HTTPStatusError):  # an unregistered pool has no workers
            continue
        if any(worker.status == "ONLINE" for worker in workers):
            found.add(pool)
    return found


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
        f"{count(len(business.webhooks), 'webhook source')}"
    )


async def _ask_prefect(question: Callable[[PrefectClient], Awaitable[T]]) -> T:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise StackError("No Prefect server runs.", hint="./orchestrator up")
    from prefect import get_client

    try:
        async with get_client() as client:
            return await question(client)
    except (httpx.HTTPError, JSONDecodeError) as error:
        raise StackError(
            f"{url} does not answer as it should ({type(error).__name__}).",
            hint="Start it, or correct PREFECT_API_URL and PREFECT_API_AUTH_STRING.",
        ) from None
