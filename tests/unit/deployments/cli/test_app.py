"""How commands end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from blocks.settings import PROJECT_ROOT
from deployments.cli.app import line

STUCK = """
import asyncio, os, signal, sys, threading
import typer
from blocks.errors import StackError
from deployments.cli import app as commands

commands.LEAVING = 0.1
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may inherit none

@commands.command
async def work():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    if sys.argv[1] == "is interrupted":
        print("Begun.")
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
    if sys.argv[1] == "fails":
        raise StackError("It failed.")
    print("The report.")
    raise typer.Exit(3)

commands.app.command()(work)
commands.app([])
"""


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("works", 3, "The report."),
        ("fails", 1, "It failed."),
        ("is interrupted", 130, "Begun."),
    ],
)
def test_a_thread_that_never_ends_keeps_neither_what_is_told_nor_the_process(how, code, said):
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, how],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == code
    assert said in ended.stdout + ended.stderr


def test_a_word_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    line("subject group:tea: 1 decision")
    assert capsys.readouterr().out == "subject group:tea: 1 decision\n"
