"""Processes that begin with everything imported: a crash or a command line costs a fork.

What only a process shows (its exit code, its output, its death) is shown all the same. Tests of
what is imported when start an interpreter of their own.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

from blocks.settings import PROJECT_ROOT

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.preloaded"])


def run_script(
    script: str, *arguments: str, timeout: float = 100, **environment: str
) -> CompletedProcess[str]:
    """``python -c script arguments`` in this process's environment and these variables."""
    return _run(script, ("-c", *arguments), os.environ | environment, PROJECT_ROOT, "", timeout)


def orchestrator(
    *arguments: str,
    cwd: Path = PROJECT_ROOT,
    stdin: str = "",
    timeout: float = 100,
    **environment: str,
) -> CompletedProcess[str]:
    """``./orchestrator arguments``, as a shell 200 columns wide sees it.

    A Prefect server that other tests of the session started is not this shell's.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    variables = {**own, "COLUMNS": "200", **environment}
    return _run("", ("orchestrator", *arguments), variables, cwd, stdin, timeout)


def _run(
    script: str,
    argv: Sequence[str],
    environment: dict[str, str],
    cwd: Path,
    stdin: str,
    timeout: float,
) -> CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "0").write_text(stdin)
        process = _FORKS.Process(target=_begin, args=(script, argv, environment, cwd, folder))
        process.start()
        process.join(timeout)
        if late := process.is_alive():
            process.kill()
            process.join()
        output, errors = ((folder / each).read_text() for each in "12")
        assert not late, f"{argv} did not end within {timeout} s: {output}{errors}"
        assert process.exitcode is not None
        return CompletedProcess(list(argv), process.exitcode, output, errors)


def _begin(
    script: str, argv: Sequence[str], environment: dict[str, str], cwd: Path, folder: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, mode in enumerate("rww"):
        with (folder / f"{number}").open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = os.fdopen(0)
    sys.argv = list(argv)

    from prefect.context import refresh_global_settings_context

    from blocks.settings import get_settings

    get_settings.cache_clear()
    refresh_global_settings_context()
    try:
        if script:
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(compile(script, "<string>", "exec"), main.__dict__)
        else:
            runpy.run_module("deployments.cli", run_name="__main__")
    finally:
        atexit._run_exitfuncs()
