"""What all commands share: the application, its consoles, and how work and errors are shown.

Exit codes: 0 done, 1 failed, 2 asked for something that cannot be done, 3 done in part,
130 interrupted.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from blocks.errors import OrchestratorError, RequestError
from deployments.console.markup import escape

app = typer.Typer(
    name="orchestrator",
    help="An operations team for your online business: agents on Prefect that watch, analyse "
    "and mend.",
    epilog="Exit codes: 0 done, 1 failed, 2 cannot be asked, 3 done in part, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _stream in (sys.stdout, sys.stderr):  # a locale without ✓ or — gets a ? and no traceback
    if isinstance(_stream, io.TextIOWrapper):
        _stream.reconfigure(errors="replace")
out, err = Console(), Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def perform(work: Coroutine[Any, Any, Any], as_json: bool = False) -> Any:
    """Run a command's work; a deliberate error becomes one line and an exit code."""
    try:
        return asyncio.run(work)
    except OrchestratorError as error:
        fail(error, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(error: OrchestratorError, as_json: bool) -> NoReturn:
    """Show a deliberate error, and end with its exit code."""
    if as_json:
        print_json({"error": {"code": error.code, "what": error.what, "hint": error.hint}})
    else:
        err.print(f"[red]{escape(error.what)}[/]", highlight=False, soft_wrap=True)
        if error.hint:
            err.print(escape(error.hint), highlight=False, soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, RequestError) else 1)


def print_json(value: Any) -> None:
    """Print JSON that any encoding of the terminal can show."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)
