"""The command line as a shell sees it: output, errors, exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from blocks.errors import RequestError
from blocks.settings import PROJECT_ROOT
from deployments.cli.workflows import run_here
from tests.forked import orchestrator
from tests.loopback import Reply, serve

Ended = subprocess.CompletedProcess[str]


def interpreted(*arguments: str, cwd: Path = PROJECT_ROOT, **environment: str) -> Ended:
    """The command in an interpreter of its own: what it imports, and from where."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "deployments.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    ended = interpreted("--help", PYTHONPROFILEIMPORTTIME="1")
    assert ended.returncode == 0
    for command in (
        "up",
        "register",
        "run",
        "status",
        "agents",
        "approvals",
        "approve",
        "reject",
        "connect",
        "disconnect",
        "doctor",
        "env",
        "token",
    ):
        assert f" {command} " in ended.stdout
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"prefect", "pandas", "sqlalchemy", "httpx", "pydantic"})


@pytest.mark.parametrize("command", [["register"], ["drill", "checkout-down"], ["status"], ["env"]])
def test_a_bad_setting_is_one_line_whatever_was_asked(command: list[str]) -> None:
    ended = orchestrator(*command, ORCHESTRATOR_TIMEZONE="Nowhere")
    assert ended.returncode == 1
    assert "ORCHESTRATOR_TIMEZONE='Nowhere'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["status", "agents"])
def test_a_ledger_url_that_is_none_is_one_line_and_not_shown(command: str) -> None:
    ended = orchestrator(command, ORCHESTRATOR_LEDGER_URL="postgres//me:canary@host")
    assert ended.returncode == 1
    assert "The ledger's URL cannot be read." in ended.stderr
    assert "canary" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", [["run", "daily-health-check"], ["register"], ["doctor"]])
@pytest.mark.parametrize("there", [False, True], ids=["nobody", "something else"])
async def test_a_server_that_is_no_prefect_is_said(
    command: list[str], there: bool, tmp_path: Path
) -> None:
    async with serve(Reply("<html>", content_type="text/html")) as server:
        url = f"{server.url}/api" if there else "http://127.0.0.1:9/api"
        ended = await asyncio.to_thread(
            orchestrator, *command, PREFECT_API_URL=url, ORCHESTRATOR_STATE_DIR=str(tmp_path)
        )
    assert ended.returncode == 1
    assert "PREFECT_API_URL" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Warning" not in ended.stderr


def test_what_a_database_holds_does_not_steer_the_terminal(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE products (sku TEXT, name TEXT, price REAL)")
        database.execute("INSERT INTO products VALUES ('a', 'Cup \x1b[2J[red]', 1.5)")
        database.commit()
    ended = orchestrator("connect", f"sqlite:///{tmp_path / 'shop.db'}")
    assert "Cup  [2J[red]" in ended.stdout
    assert "\x1b" not in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (["daily-helth-check"], "no workflow 'daily-helth-check'", "Did you mean daily-health-ch"),
        (["daily_health_check"], "no workflow", "Did you mean daily-health-check?"),
        (["xyz"], "no workflow 'xyz'", "There are daily-health-check"),
        (["daily-health-check", "top"], "'top' is not NAME=VALUE", ""),
        (["daily-health-check", "tpo=3"], "no parameter 'tpo'", "Did you mean top?"),
        (["daily-health-check", "top=[1]"], "top: Input should be a valid integer", ""),
        (["daily-health-check", "top=many"], "top: Input should be a valid integer", ""),
    ],
)
async def test_what_cannot_be_run_is_said(arguments: list[str], what: str, hint: str) -> None:
    with pytest.raises(RequestError) as told:
        await run_here(arguments[0], arguments[1:])
    assert what in told.value.what
    assert hint in told.value.hint


def test_an_error_is_one_line_and_a_hint() -> None:
    ended = orchestrator("run", "xyz")
    assert ended.returncode == 2
    assert ended.stdout == ""
    error, hint = ended.stderr.splitlines()
    assert error == "There is no workflow 'xyz'."
    assert hint.startswith("There are ")


def test_an_error_is_json_when_json_was_asked_for() -> None:
    ended = orchestrator("run", "xyz", "--json")
    assert ended.returncode == 2
    error = json.loads(ended.stdout)["error"]
    assert error["code"] == "request-error"
    assert error["what"] == "There is no workflow 'xyz'."
    assert "daily-health-check" in error["hint"]


def test_an_unknown_command_is_a_usage_error() -> None:
    assert orchestrator("frobnicate").returncode == 2


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    ended = orchestrator("status", ORCHESTRATOR_TIMEZONE="Mars/Olympus")
    assert ended.returncode == 1
    assert "ORCHESTRATOR_TIMEZONE='Mars/Olympus'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_status_before_the_first_start_makes_nothing(tmp_path: Path) -> None:
    ended = orchestrator("status", "--json", ORCHESTRATOR_STATE_DIR=str(tmp_path / "state"))
    assert ended.returncode == 0
    status = json.loads(ended.stdout)
    assert (status["stack"], status["runs"], status["last_report"]) == (None, [], None)
    assert not (tmp_path / "state").exists()


def test_agents_are_listed_with_their_actions() -> None:
    agents = json.loads(orchestrator("agents", "--json").stdout)
    assert [a["id"] for a in agents] == [
        "data-intelligence",
        "integration-specialist",
        "sre-reliability",
    ]
    assert "restart_service" in agents[2]["actions"]["automation"]
    assert agents[1]["askers"]["propose_mapping"] == ["person"]
    assert agents[2]["askers"]["optimize"] == ["workflow"]
    assert all(a["status"] == "idle" and a["workload"] == 0 for a in agents)


def test_doctor_says_what_to_do_and_changes_nothing(tmp_path: Path) -> None:
    ended = orchestrator("doctor", ORCHESTRATOR_STATE_DIR=str(tmp_path / "state"))
    assert ended.returncode == 1, "no server runs"
    assert "✓ Python" in ended.stdout
    assert "✓ requirements" in ended.stdout
    assert "✗ Prefect server" in ended.stdout
    assert "→ ./orchestrator up" in ended.stdout
    assert not (tmp_path / "state").exists()


def test_doctor_finds_a_setting_that_is_wrong() -> None:
    checks = json.loads(orchestrator("doctor", "--json", ORCHESTRATOR_PREFECT_PORT="0").stdout)
    assert "ORCHESTRATOR_PREFECT_PORT='0'" in checks[-1]["detail"]


def test_env_is_for_the_shell(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    lines = orchestrator("env", ORCHESTRATOR_STATE_DIR=str(folder)).stdout.splitlines()
    assert f"export PREFECT_HOME='{folder}/prefect'" in lines
    assert not any("KEY" in line for line in lines), "secrets stay in their file"


def test_a_folder_named_like_ours_where_the_user_stands_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "__init__.py").write_text("raise SystemExit('the wrong blocks')")
    assert interpreted("env", cwd=tmp_path).returncode == 0


def test_the_launcher_says_when_the_project_is_not_set_up(tmp_path: Path) -> None:
    launcher = tmp_path / "orchestrator"
    launcher.write_text((PROJECT_ROOT / "orchestrator").read_text())
    ended = subprocess.run(["sh", str(launcher), "up"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"make -C '{tmp_path}' setup" in ended.stderr


def test_connect_shows_and_saves_a_proposal(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as shop:
        shop.execute("CREATE TABLE products (sku TEXT, name TEXT, unit_price REAL)")
        shop.execute("INSERT INTO products VALUES ('A1', 'Mug', 4.5)")
        shop.commit()
    saved = tmp_path / "business.toml"
    ended = orchestrator("connect", f"sqlite:///{file}", "--write", str(saved))
    assert ended.returncode == 3, "there is no stock and nothing was sold"
    assert "✓ products from products, 1 of 1 rows fit" in ended.stdout
    assert f"ORCHESTRATOR_BUSINESS_FILE={saved}" in ended.stdout
    last = ended.stdout.rstrip().splitlines()[-4:]
    assert "To give the stack back to the sample business:" in last[0]
    assert last[2].strip() == "./orchestrator disconnect"
    assert "[store.frames.products]" in saved.read_text()

    again = orchestrator("connect", f"sqlite:///{file}", "--write", str(saved))
    assert (again.returncode, "not overwritten" in again.stderr) == (2, True)
