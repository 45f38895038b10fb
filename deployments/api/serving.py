"""The API as a process."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from blocks.ledger import Ledger
from blocks.settings import Settings, get_settings
from deployments.api.app import create_app, served
from deployments.api.http.prompt_requests import PromptRequests
from deployments.processes.listening import check_exposure, check_port


def serve() -> None:
    """Serve on the address of the settings, until SIGTERM or Ctrl-C.

    Raises:
        OrchestratorError: It cannot start; says what to do.
    """
    settings = get_settings()
    check_port(settings.effective_api_host, settings.api_port, "the API", "ORCHESTRATOR_API_PORT")
    Ledger.open(settings.effective_ledger_url).close()  # what is wrong with it is said in a line
    asyncio.run(check_exposure(settings))
    run(create_app(settings), settings)


def run(app: FastAPI, settings: Settings) -> None:
    """Serve an application as the API is served."""
    _tune()
    uvicorn.run(served(app, settings), **options(settings))


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told."""
    return {
        "host": settings.effective_api_host,
        "port": settings.api_port,
        "http": PromptRequests,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "lifespan": "on",
        # Who waits for a run, or watches, is told and then left.
        "timeout_graceful_shutdown": 3,
    }


def _tune() -> None:
    """Have this interpreter serve hundreds of requests at once while a thread beside it writes."""
    gc.collect()
    gc.freeze()  # what stays for ever is not looked through for garbage all the time
    gc.set_threshold(20_000, *gc.get_threshold()[1:])  # nor what hundreds of requests hold
    # The ledger's thread soon gets its turn, or all requests end up waiting for it, idle.
    sys.setswitchinterval(0.0005)
