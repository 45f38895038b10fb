"""The processes of the embedded stack and the settings that they run under.

A variable that the user has set always wins over ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from blocks.prefect_api.env import common_environment, server_secrets
from blocks.settings import Settings
from deployments.processes.supervisor import ProcessSpec

SERVER = "prefect-server"
WORKER = "worker"
API = "api"


def prefect_url(settings: Settings) -> str:
    """The address of the embedded Prefect server as this machine reaches it."""
    return local_url(settings.host, settings.prefect_port)


def local_url(host: str, port: int) -> str:
    """The address of a server that listens on ``host`` as this machine reaches it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def stack_environment(settings: Settings) -> dict[str, str]:
    """What every process of the stack shares: Prefect's settings, and our server's address."""
    api_url = f"{prefect_url(settings)}/api"
    ours = common_environment(settings)
    if "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED" not in os.environ:
        # The server gives no tokens (see below), so no client need ask for one before it writes.
        ours["PREFECT_CLIENT_CSRF_SUPPORT_ENABLED"] = "false"
    return {**_unset(ours), "PREFECT_API_URL": api_url}


def server_spec(settings: Settings) -> ProcessSpec:
    """Prefect's server on SQLite (or ``ORCHESTRATOR_PREFECT_DATABASE_URL``)."""
    url = prefect_url(settings)
    origins = {url, f"http://localhost:{settings.prefect_port}"}
    environment = {
        **server_secrets(settings),
        # The page asks this address; without it the UI looks at port 4200.
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # No other page in the user's browser may read from the API; the stack's prefect_server
        # keeps them from writing. Prefect's own CSRF tokens are no use: a client that sends two
        # requests at once gets two tokens, of which the first is void, and then backs off.
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(sorted(origins)),
        # Slots of concurrency limits must outlive a restart of the server.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        # Events and finished runs would otherwise grow the database for ever.
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }
    return ProcessSpec(
        name=SERVER,
        argv=(
            *(sys.executable, "-m", "deployments.stack.prefect_server"),
            *("--host", settings.host, "--port", str(settings.prefect_port)),
        ),
        env=_unset(environment),
        ready_url=f"{url}/api/ready",
        live_url=f"{url}/api/health",  # whether its database answers is another question
    )


def worker_spec(pools: Sequence[str]) -> ProcessSpec:
    """The process with a worker for each pool; one each, since priorities order one poll's runs."""
    environment = {
        # The safety net below the server's events. Runs are fetched 10 s before they are due, so
        # that at this interval none is late even when no event comes.
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "PREFECT_LOGGING_COLORS": "false",  # its output is a file
    }
    return ProcessSpec(
        name=WORKER,
        argv=(sys.executable, "-m", "deployments.worker", "--echo", *pools),
        env=_unset(environment),
        echoes=True,
    )


def api_url(settings: Settings) -> str:
    """The address of the REST API as this machine reaches it."""
    return local_url(settings.effective_api_host, settings.api_port)


def api_spec(settings: Settings) -> ProcessSpec:
    """The REST API and the status page."""
    return ProcessSpec(
        name=API,
        argv=(sys.executable, "-m", "deployments.api"),
        ready_url=f"{api_url(settings)}/livez",
        live_url=f"{api_url(settings)}/livez",
    )


def _unset(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in os.environ}
