"""Which Prefect server this process talks to, and under which settings.

Prefect reads its settings from the environment when it is first imported. So the order is: the
user's own variables win; else the embedded stack of our state folder, when one is running; else
Prefect's ephemeral server, on the same database as the stack, so that both show the same history.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from blocks.errors import ConfigurationError
from blocks.machine.private_files import lasting_secret, write_private
from blocks.machine.state_folder import make_state_folder
from blocks.settings import Settings, get_settings

# Nothing that we start calls outside the machine, and results are never pickles.
_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    # A run that is not heard of for three of these is taken to be dead, as
    # flows.orchestrator.runs.deaths says.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    # The first migration of a new SQLite file takes about 20 s, Prefect's own limit is 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}


@dataclass(frozen=True)
class RunningStack:
    """What a running ``./orchestrator up`` tells other processes (``stack.json``, mode 0600).

    Attributes:
        pid: Its process.
        id: Random; every process it started carries it as ``ORCHESTRATOR_STACK_ID``.
        api_url: Prefect's API.
        control_port: Loopback port on which it takes restart requests.
        control_token: What such a request must carry.
        processes: Names of the processes that it manages.
    """

    pid: int
    id: str
    api_url: str
    control_port: int
    control_token: str
    processes: tuple[str, ...] = ()

    @property
    def uptime_s(self) -> float:
        """Seconds since it was started."""
        import psutil

        return round(time.time() - psutil.Process(self.pid).create_time())

    @staticmethod
    def path(state_dir: Path) -> Path:
        """Where a stack on that state folder announces itself."""
        return state_dir / "stack.json"

    def announce(self, state_dir: Path) -> None:
        """Write the file, in one step, readable by this user alone."""
        write_private(self.path(state_dir), json.dumps(asdict(self)))

    @classmethod
    def find(cls, state_dir: Path) -> RunningStack | None:
        """The stack that runs on a state folder; None when there is none, or only its remains."""
        try:
            fields = json.loads(cls.path(state_dir).read_text())
            stack = cls(**{**fields, "processes": tuple(fields["processes"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return stack if stack._is_alive() else None

    def _is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # alive, and somebody else's: the port decides
        # A process number is given out again after a crash; the control port tells them apart.
        return accepts("127.0.0.1", self.control_port)


def accepts(host: str, port: int, *, timeout: float = 0.5) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def use_embedded_prefect() -> None:
    """Point this process at the right Prefect server; call it before Prefect is used.

    Sets only variables that the user left unset, and rebuilds Prefect's settings when Prefect was
    imported before.

    Raises:
        ConfigurationError: A setting is unusable, or the state folder cannot be written.
    """
    wanted = client_environment(get_settings())
    missing = {name: value for name, value in wanted.items() if name not in os.environ}
    if not missing:
        return
    with suppress(OSError):  # Prefect itself says what it cannot write, and goes on
        make_state_folder(get_settings().state_dir)
        if "PREFECT_HOME" in missing:
            Path(missing["PREFECT_HOME"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update(missing)
    context = sys.modules.get("prefect.context")
    if context is not None and hasattr(context, "refresh_global_settings_context"):
        context.refresh_global_settings_context()


def client_environment(settings: Settings) -> dict[str, str]:
    """The variables under which a process of ours uses Prefect.

    With ``PREFECT_API_URL`` or ``PREFECT_PROFILE`` set, the user has chosen a server. Else the
    variables name the running stack or, without one, hold what an ephemeral server needs.

    Raises:
        ConfigurationError: The state folder cannot be written.
    """
    variables = common_environment(settings)
    if os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_PROFILE"):
        return variables
    if stack := RunningStack.find(settings.state_dir):
        return {**variables, "PREFECT_API_URL": stack.api_url}
    return {**variables, **server_secrets(settings)}


def common_environment(settings: Settings) -> dict[str, str]:
    """The variables of every process that uses Prefect, whichever server it talks to."""
    return {**_DEFAULTS, "PREFECT_HOME": str(settings.state_dir / "prefect")}


def server_secrets(settings: Settings) -> dict[str, str]:
    """The variables that only the process of a Prefect server needs: database and key.

    The key encrypts the credentials in blocks. It is made once and lies beside the database, not
    in it, so that a copied database gives no secrets away.

    Raises:
        ConfigurationError: The state folder cannot be written.
    """
    variables = {"PREFECT_SERVER_ENCRYPTION_KEY": _encryption_key(settings.state_dir)}
    if settings.prefect_database_url is not None:
        variables["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
            settings.prefect_database_url.get_secret_value()
        )
    return variables


def _encryption_key(state_dir: Path) -> str:
    try:
        make_state_folder(state_dir)
        state_dir.joinpath("prefect").mkdir(mode=0o700, exist_ok=True)
        return lasting_secret(state_dir / "prefect-encryption.key")
    except OSError as error:
        raise ConfigurationError(
            f"The state folder {state_dir} cannot be written: {error.strerror}.",
            hint="Set ORCHESTRATOR_STATE_DIR to a folder that you may write.",
        ) from None
