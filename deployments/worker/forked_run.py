"""What a process that the fork server forked does: one flow run, as Prefect would run it.

Prefect's process worker starts an interpreter that prepares the run's workspace (the deployment's
pull steps) and then another one for its engine. Here both happen in the process that was forked,
unless the run needs another project or another command than ours: then it becomes that command, as
in Prefect.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypedDict

from blocks.settings import PROJECT_ROOT, get_settings

if TYPE_CHECKING:
    from deployments.worker.prefect_internals import PreparedWorkspace


EDITION = hashlib.sha256(
    b"".join(
        Path(__file__).with_name(name).read_bytes() for name in ("fork_server.py", "forked_run.py")
    )
).hexdigest()
"""Of the code by which worker and fork server understand each other, as it was when loaded."""


class Order(TypedDict):
    """One run to start.

    Attributes:
        run: Id of the flow run.
        flow_run: The flow run, as JSON.
        deployment: Its deployment, as JSON.
        environment: All of its environment variables.
        directory: Where it starts, and where pull steps put things.
        manifest: File in which it notes how hooks can be run for it.
        quiet: Whether its output is dropped.
    """

    run: str
    flow_run: str
    deployment: str
    environment: dict[str, str]
    directory: str
    manifest: str
    quiet: bool


def live(order: Order, waits: int) -> NoReturn:
    """Do the run, and end as an interpreter does: with its threads and exit handlers.

    Args:
        order: The run.
        waits: Descriptor from which a byte can be read when the run may begin. Until then the
            process makes itself ready, while its worker tells the server of it.
    """
    status = 1
    try:
        status = _run(order, waits)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _run(order: Order, waits: int) -> int:
    _move_in(order)
    workspace, environment, command = _prepare(order)
    if not os.read(waits, 1):
        return 1  # nobody is left who could say so
    os.close(waits)
    if command is not None or workspace.working_directory != PROJECT_ROOT:
        from prefect.utilities.processutils import command_from_string

        program = command_from_string(command) if command else _ENGINE
        os.chdir(workspace.working_directory)
        os.execvpe(program[0], program, environment)  # noqa: S606 - as Prefect does
    from deployments.worker.prefect_internals import _run_engine

    _adopt(environment)
    return _run_engine(workspace.runtime_entrypoint)


_ENGINE = [sys.executable, "-m", "prefect.engine"]


def _move_in(order: Order) -> None:
    """Take the place of a process that was started for the run."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    if order["quiet"]:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    _adopt(order["environment"])
    os.chdir(order["directory"])
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # or all runs would draw the same; Python's own generator sees to it


def _adopt(environment: dict[str, str]) -> None:
    """Have these variables and no others, and settings that follow from them."""
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    before = _settings("PREFECT_"), _settings("ORCHESTRATOR_")
    os.environ.clear()
    os.environ.update(environment)
    # What differs is read anew. What does not, the fork server has read: that saves 150 ms.
    if _settings("PREFECT_") != before[0]:
        refresh_global_settings_context()
        setup_logging(incremental=False)
    if _settings("ORCHESTRATOR_") != before[1]:
        get_settings.cache_clear()


def _settings(prefix: str) -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(prefix) and not name.startswith("PREFECT__")  # which name the run
    }


def _prepare(order: Order) -> tuple[PreparedWorkspace, dict[str, str], str | None]:
    """Run the pull steps, as Prefect's workspace supervisor does.

    Returns:
        The workspace, the environment of the engine, and the command that has to run it when it is
        not Prefect's engine in this project's interpreter.
    """
    import asyncio

    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.context import AsyncClientContext
    from prefect.utilities.processutils import command_from_string, sanitize_subprocess_env

    from deployments.worker import prefect_internals as internals

    owned = {
        name: value
        for name, value in os.environ.items()
        if internals._runner_owns_environment_key(name)
    }

    async def prepare() -> PreparedWorkspace:
        async with AsyncClientContext.get_or_create() as context:  # which the steps use too
            return await internals.prepare_workspace(
                context.client,
                FlowRun.model_validate_json(order["flow_run"]),
                DeploymentResponse.model_validate_json(order["deployment"]),
                order["directory"],
            )

    workspace = asyncio.run(prepare())
    environment = sanitize_subprocess_env(internals.workspace_environment(workspace))
    internals._restore_runner_environment(environment, owned)
    environment["PREFECT__FLOW_ENTRYPOINT"] = workspace.runtime_entrypoint
    command = internals._workspace_command(workspace, None, environment=environment)
    internals.write_private_model(
        Path(order["manifest"]),
        internals.PreparedWorkspaceManifest(
            working_directory=workspace.working_directory,
            project_root=workspace.project_root,
            runtime_entrypoint=workspace.runtime_entrypoint,
            hook_command=internals._hook_command(
                command_from_string(command) if command else _ENGINE
            ),
            environment=environment,
        ),
    )
    return workspace, environment, command
