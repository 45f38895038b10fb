"""What the worker uses of Prefect beyond its documented interface: all of it passes through here.

The lock pins Prefect. ``tests/contract/test_prefect_internals.py`` tells what an upgrade changes.
"""

from prefect._internal.observers import FlowRunCancellingObserver as FlowRunCancellingObserver
from prefect.runner._cancellation_manager import CancellationManager as CancellationManager
from prefect.runner._control_channel import ControlChannel as ControlChannel
from prefect.runner._event_emitter import EventEmitter as EventEmitter
from prefect.runner._flow_run_executor import FlowRunExecutionResult as FlowRunExecutionResult
from prefect.runner._flow_run_executor import FlowRunExecutorContext as FlowRunExecutorContext
from prefect.runner._flow_run_executor import _placeholder_resolve_flow as _placeholder_resolve_flow
from prefect.runner._hook_runner import HookRunner as HookRunner
from prefect.runner._process_manager import ProcessHandle as ProcessHandle
from prefect.runner._process_manager import ProcessManager as ProcessManager
from prefect.runner._process_manager import (
    create_isolated_termination_scope as create_isolated_termination_scope,
)
from prefect.runner._state_proposer import StateProposer as StateProposer
from prefect.runner._workspace_resolver import PreparedWorkspace as PreparedWorkspace
from prefect.runner._workspace_resolver import prepare_workspace as prepare_workspace
from prefect.runner._workspace_runtime import PreparedWorkspaceManifest as PreparedWorkspaceManifest
from prefect.runner._workspace_runtime import write_private_model as write_private_model
from prefect.runner._workspace_runtime_bootstrap import _run_engine as _run_engine
from prefect.runner._workspace_starter import (
    WorkspaceResolvingEngineCommandStarter as WorkspaceResolvingEngineCommandStarter,
)
from prefect.runner._workspace_starter import _workspace_command as _workspace_command
from prefect.runner._workspace_starter import workspace_environment as workspace_environment
from prefect.runner._workspace_supervisor import _hook_command as _hook_command
from prefect.runner._workspace_supervisor import (
    _restore_runner_environment as _restore_runner_environment,
)
from prefect.runner._workspace_supervisor import (
    _runner_owns_environment_key as _runner_owns_environment_key,
)
