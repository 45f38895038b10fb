"""Where a server of ours may listen: on a free port, and where others reach it only with tokens."""

from __future__ import annotations

import socket
from contextlib import closing

from blocks.errors import ConfigurationError, StackError
from blocks.ledger import Ledger
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from deployments.processes.own_pages import is_loopback


def check_port(host: str, port: int, what: str, setting: str) -> None:
    """A port that a process of the stack is going to listen on.

    Raises:
        StackError: It is taken, or the address is not this machine's.
    """
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StackError(
                f"Port {port} on {host}, for {what}, cannot be used: {error.strerror}"
                f"{_owner(port)}.",
                hint=f"Stop what uses it, or set {setting} to another value.",
            ) from None


async def check_exposure(settings: Settings) -> None:
    """The API is reached from other machines only when they need a token.

    Raises:
        ConfigurationError: The address is not of this machine alone, and there is no valid token.
        LedgerError: The ledger, which holds the tokens, cannot be read.
    """
    host = settings.effective_api_host
    if is_loopback(host):
        return
    with Ledger.open(settings.effective_ledger_url) as ledger:
        if not await ledger.tokens.any_valid(utc_now()):
            raise ConfigurationError(
                f"The API would listen on {host}, which other machines reach, and no token is "
                "valid.",
                hint="Make one (./orchestrator token create NAME --scope run), or keep the API on "
                "this machine: ORCHESTRATOR_API_HOST=127.0.0.1.",
            )


def _owner(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and (
                getattr(connection.laddr, "port", None) == port
            ):
                if connection.pid is None:
                    return ""
                return f" (by process {connection.pid}, {psutil.Process(connection.pid).name()})"
    except psutil.Error:  # only root may ask on some systems
        return ""
    return ""
