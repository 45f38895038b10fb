"""What all commands share: the application, its consoles, and how work and errors are shown.

Exit codes: 0 done, 1 failed, 2 asked for something that cannot be done, 3 done in part,
130 interrupted.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import getpass
import io
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from typer.core import TyperGroup

from blocks.errors import OrchestratorError, RequestError
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger import Ledger

P = ParamSpec("P")
T = TypeVar("T")


class CommandsFirst(TyperGroup):
    """Help lists the commands in our order; typer lists those with commands of their own first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names, in the order of help."""
        return sorted(
            super().list_commands(ctx), key=lambda name: isinstance(self.commands[name], TyperGroup)
        )


app = typer.Typer(
    name="orchestrator",
    cls=CommandsFirst,
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
out, err = Console(emoji=False), Console(stderr=True, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


LEAVING = 30.0
"""Seconds that a process has to end by itself when all has been shown."""


def command(work: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """A command that may await; a deliberate error becomes one line and an exit code.

    It ends soon after it has shown what it has to show, even where a thread of it never does.
    """

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        guards: list[threading.Timer] = []

        async def told() -> None:
            code = 1
            try:
                await work(*args, **kwargs)
                code = 0
            except typer.Exit as end:
                code = end.exit_code
                raise
            except OrchestratorError as error:
                code = exit_code(error)
                fail(error, as_json=bool(kwargs.get("as_json")))
            except asyncio.CancelledError:  # by Ctrl-C
                code = 130
                raise
            finally:
                guards.append(_leave_soon(code))

        try:
            asyncio.run(told())  # waits for its threads
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        finally:
            for guard in guards:
                guard.cancel()

    return run


def _leave_soon(code: int) -> threading.Timer:
    """End this process with that code after a while, unless it is called off."""

    def leave() -> None:
        try:
            sys.stdout.flush()
            atexit._run_exitfuncs()  # the ledger is closed, an ephemeral Prefect server is stopped
        finally:
            os._exit(code)

    guard = threading.Timer(LEAVING, leave)
    guard.daemon = True
    guard.start()
    return guard


def exit_code(error: OrchestratorError) -> int:
    """The exit code of a command that ends with a deliberate error."""
    return 2 if isinstance(error, RequestError) else 1


def fail(error: OrchestratorError, *, as_json: bool = False) -> NoReturn:
    """Show a deliberate error, and end with its exit code."""
    if as_json:
        print_json({"error": {"code": error.code, "what": error.what, "hint": error.hint}})
    else:
        err.print(f"[red]{escape(error.what)}[/]", highlight=False, soft_wrap=True)
        if error.hint:
            err.print(escape(error.hint), highlight=False, soft_wrap=True)
    raise typer.Exit(exit_code(error))


def show(found: T, as_json: bool, tell: Callable[[T, Console], None]) -> None:
    """Print what was found: as JSON for scripts, else as ``tell`` words it for people."""
    if as_json:
        print_json(found)
    else:
        tell(found, out)


def print_json(value: Any) -> None:
    """Print JSON that any encoding of the terminal can show."""
    from pydantic_core import to_jsonable_python

    value = to_jsonable_python(value)
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


def line(text: str, console: Console = out) -> None:
    """Print a line of markup as it is: not coloured by what is in it, nor broken to the width."""
    console.print(text, highlight=False, soft_wrap=True)


def quiet_prefect() -> None:
    """The console shows a report or one error; the run's log is kept by Prefect."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def open_ledger(**options: Any) -> Ledger:
    """The ledger of the settings, opened with these options.

    Raises:
        LedgerError: It cannot be opened.
    """
    from blocks.ledger import Ledger
    from blocks.settings import get_settings

    return Ledger.open(get_settings().effective_ledger_url, **options)


@contextmanager
def existing_ledger(**options: Any) -> Iterator[Ledger | None]:
    """The same for a look, which makes none: None until the first run did.

    Raises:
        LedgerError: It cannot be opened.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from blocks.settings import get_settings

    where = get_settings().effective_ledger_url
    is_there = True
    with suppress(ArgumentError, ValueError):  # what is wrong with it is said when it is opened
        url = make_url(where)
        is_there = url.get_backend_name() != "sqlite" or Path(url.database or "").exists()
    with open_ledger(**options) if is_there else nullcontext() as ledger:
        yield ledger


def current_user() -> str:
    """Who sits at the command line, for the record: their name, or number when there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
