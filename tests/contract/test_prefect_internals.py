"""What the warm worker relies on in Prefect beyond its documented interface.

All of it passes through ``deployments.worker.prefect_internals``. The lock pins Prefect. When this
fails after an upgrade, compare what is named with the module of ours that uses it before anything
else: a run may otherwise be watched, ended or prepared wrongly.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prefect._internal.observers import FlowRunCancellingObserver
from prefect.client import orchestration
from prefect.context import AsyncClientContext, refresh_global_settings_context
from prefect.logging.configuration import setup_logging
from prefect.runner import _workspace_runtime_bootstrap as bootstrap
from prefect.runner import _workspace_supervisor as supervisor
from prefect.runner._cancellation_manager import CancellationManager
from prefect.runner._control_channel import ControlChannel
from prefect.runner._event_emitter import EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutor, FlowRunExecutorContext
from prefect.runner._process_manager import (
    ProcessHandle,
    ProcessManager,
    create_isolated_termination_scope,
)
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.runner._state_proposer import StateProposer
from prefect.runner._workspace_resolver import PreparedWorkspace, prepare_workspace
from prefect.runner._workspace_runtime import PreparedWorkspaceManifest, write_private_model
from prefect.runner._workspace_starter import (
    WorkspaceResolvingEngineCommandStarter,
    _workspace_command,
    workspace_environment,
)
from prefect.workers.base import BaseJobConfiguration, BaseWorker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from blocks.settings import PROJECT_ROOT

SIGNATURES: list[tuple[Callable[..., Any], str]] = [
    # deployments.worker.warm_worker
    (ProcessWorker.run, "self, flow_run, configuration, task_status"),
    (BaseWorker.get_and_submit_flow_runs, "self"),
    (BaseWorker._release_limit_slot, "self, flow_run_id"),
    (BaseWorker._give_worker_labels_to_flow_run, "self, flow_run_id"),
    (BaseJobConfiguration._base_environment, ""),
    (WorkspaceResolvingEngineCommandStarter.start, "self, flow_run, task_status"),
    (
        WorkspaceResolvingEngineCommandStarter.__init__,
        "self, workspace_root, command, stream_output, heartbeat_seconds, deployment_name, "
        "control_channel, source_cwd, environment",
    ),
    (FlowRunExecutor.submit, "self, task_status"),
    (ProcessHandle.__init__, "self, _process, termination_scope"),
    (create_isolated_termination_scope, "pid"),
    # deployments.worker.supervision
    (
        FlowRunExecutorContext.create_executor,
        "self, flow_run, starter, resolve_flow, propose_submitting, hook_runner",
    ),
    (ProcessManager.__init__, "self, on_add, on_remove"),
    (
        CancellationManager.__init__,
        "self, process_manager, hook_runner, state_proposer, event_emitter, client, "
        "control_channel",
    ),
    (CancellationManager.cancel_by_id, "self, flow_run_id"),
    (ControlChannel.register, "self, flow_run_id"),
    (ControlChannel.unregister, "self, flow_run_id"),
    (ControlChannel.get_conclusion, "self, flow_run_id"),
    (StateProposer.__init__, "self, client"),
    (StateProposer.propose_crashed, "self, flow_run, message"),
    (EventEmitter.__init__, "self, runner_name, client, get_events_client, cache_ttl"),
    (
        FlowRunCancellingObserver.__init__,
        "self, on_cancelling, polling_interval, event_filter, on_failure",
    ),
    (FlowRunCancellingObserver.add_in_flight_flow_run_id, "self, flow_run_id"),
    (FlowRunCancellingObserver.remove_in_flight_flow_run_id, "self, flow_run_id"),
    # deployments.worker.forked_run
    (prepare_workspace, "client, flow_run, deployment, workspace_root"),
    (workspace_environment, "workspace"),
    (_workspace_command, "workspace, explicit_command, environment"),
    (supervisor._runner_owns_environment_key, "key"),
    (supervisor._restore_runner_environment, "environment, runner_environment"),
    (supervisor._hook_command, "command"),
    (write_private_model, "path, model"),
    (bootstrap._run_engine, "entrypoint"),
    (refresh_global_settings_context, ""),
    (setup_logging, "incremental"),
]


def test_all_of_it_passes_through_one_module() -> None:
    private = re.compile(r"^\s*(from|import) prefect(\.\w+)*\._", re.MULTILINE)
    users = {
        str(file.relative_to(PROJECT_ROOT))
        for file in (PROJECT_ROOT / "deployments" / "worker").glob("*.py")
        if private.search(file.read_text())
    }
    assert users == {"deployments/worker/prefect_internals.py"}


@pytest.mark.parametrize(
    ("function", "parameters"), SIGNATURES, ids=lambda value: getattr(value, "__qualname__", "")
)
def test_a_private_function_is_called_as_before(
    function: Callable[..., Any], parameters: str
) -> None:
    assert ", ".join(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("function", "sources"),
    [
        # What a subclass of ours replaces, or does in another place, as a whole.
        (ProcessWorker.run, ["_command_configured", "source_cwd=workspace_root", "submit("]),
        (supervisor.supervise, ["prepare_workspace_for_flow_run", "PREFECT__FLOW_ENTRYPOINT"]),
        (EngineCommandStarter.start, ["PREFECT__CONTROL_PORT", "PREFECT__CONTROL_TOKEN"]),
        (FlowRunExecutorContext.__aenter__, ["_cancellation_manager", "_cancellation_task_group"]),
        (FlowRunExecutorContext.__aexit__, ["_stack", "_after_exit_callbacks"]),
        (FlowRunExecutorContext._handle_cancellation_observer_failure, ["process_manager.kill"]),
        (FlowRunCancellingObserver.__aenter__, ["self._consumer_task = "]),
        (BaseWorker._submit_run_and_capture_errors, ["_propose_submitting_state", "self.run("]),
        (ProcessJobConfiguration.prepare_for_flow_run, ["**os.environ, **self.env"]),
        (BaseJobConfiguration.prepare_for_flow_run, ["_related_objects", '"deployment"']),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_is_replaced_is_what_it_was(function: Callable[..., Any], sources: list[str]) -> None:
    text = inspect.getsource(function)
    assert [source for source in sources if source not in text] == []


def test_names_that_are_set_or_read() -> None:
    # A module, or what stands for it once this process has loaded what runs need.
    told = orchestration.ssl  # type: ignore[attr-defined]
    assert inspect.ismodule(told) or isinstance(told, SimpleNamespace)
    assert callable(told.create_default_context)
    assert "ssl.create_default_context" in inspect.getsource(orchestration.PrefectClient.__init__)
    assert "_process_map" in inspect.getsource(ProcessManager)
    assert callable(AsyncClientContext.get_or_create)
    assert {"working_directory", "runtime_entrypoint"} <= PreparedWorkspace.model_fields.keys()
    assert set(PreparedWorkspaceManifest.model_fields) == {
        *("working_directory", "project_root", "runtime_entrypoint", "hook_command"),
        "environment",
    }
