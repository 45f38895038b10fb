"""Where a server of ours may listen."""

from __future__ import annotations

import os
import socket

import pytest

from blocks.errors import StackError
from deployments.processes.listening import check_port


def test_a_taken_port_names_its_owner_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as told:
            check_port("127.0.0.1", port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
    assert f"Port {port} on 127.0.0.1, for Prefect" in told.value.what
    assert "Address already in use" in told.value.what
    assert f"by process {os.getpid()}" in told.value.what
    assert "ORCHESTRATOR_PREFECT_PORT" in told.value.hint
    check_port("127.0.0.1", port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StackError, match=r"Port 4200 on 203\.0\.113\.1"):
        check_port("203.0.113.1", 4200, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
