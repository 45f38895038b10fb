"""Restarts one process of a running stack: ``python -m deployments.processes.restart NAME``.

The supervisor does it, since only a parent can start its child again; this module is both ends of
the request, one line of JSON each way over loopback, with the token of ``stack.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import sys
from pathlib import Path

from blocks.errors import OrchestratorError, StackError
from blocks.prefect_api.env import RunningStack
from blocks.settings import get_settings
from deployments.processes.supervisor import Supervisor

_LIMIT = 64 * 1024


async def serve_restarts(supervisor: Supervisor, token: str) -> asyncio.Server:
    """Take restart requests on a loopback port that the system picks."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), timeout=5)
            if line:  # an empty connection only asks whether we are here
                answer = await _answer(supervisor, token, line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ValueError, ConnectionError):
            pass  # not a request of ours, or its sender is gone: nobody to tell
        finally:
            writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0, limit=_LIMIT)


async def _answer(supervisor: Supervisor, token: str, line: bytes) -> dict[str, str]:
    request = json.loads(line)
    if not isinstance(request, dict) or not hmac.compare_digest(
        str(request.get("token")).encode(), token.encode()
    ):
        return {"error": "The request carries a wrong token.", "hint": ""}
    try:
        await supervisor.restart(str(request.get("restart")))
    except OrchestratorError as error:
        return {"error": error.what, "hint": error.hint}
    return {"done": str(request["restart"])}


async def restart(name: str, state_dir: Path, *, timeout: float = 60) -> None:
    """Have a running stack restart one of its processes; returns when that one answers again.

    Raises:
        StackError: No stack runs on the folder, it has no such process, or that one stays down.
    """
    stack = RunningStack.find(state_dir)
    if stack is None:
        raise StackError(
            f"No stack runs on {state_dir}, so {name!r} cannot be restarted.",
            hint="Start it with ./orchestrator up.",
        )
    request = json.dumps({"token": stack.control_token, "restart": name}).encode() + b"\n"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection("127.0.0.1", stack.control_port)
            writer.write(request)
            answer = json.loads(await reader.readline() or b"{}")
            writer.close()
    except (TimeoutError, OSError, ValueError) as error:
        raise StackError(
            f"The stack of process {stack.pid} did not answer ({type(error).__name__}).",
            hint=f"See {state_dir / 'logs'}.",
        ) from None
    if answer.get("done") != name:
        raise StackError(
            answer.get("error", f"The stack of process {stack.pid} ended meanwhile."),
            hint=answer.get("hint", ""),
        )


def main() -> int:
    """The command line; exit code 0 when the process answers again, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Restart one process of the running stack.")
    parser.add_argument("name")
    parser.add_argument("--state-dir", type=Path, help="default: ORCHESTRATOR_STATE_DIR")
    options = parser.parse_args()
    try:
        asyncio.run(restart(options.name, options.state_dir or get_settings().state_dir))
    except OrchestratorError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.name} was restarted and answers.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
