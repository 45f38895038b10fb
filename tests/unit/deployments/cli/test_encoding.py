"""The command line in a locale that has not all of our characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from blocks.settings import PROJECT_ROOT


def ascii_only(*arguments: str, state_dir: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONIOENCODING": "ascii",
        "ORCHESTRATOR_STATE_DIR": str(state_dir),
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "deployments.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_locale_lacks_is_replaced(tmp_path: Path) -> None:
    ended = ascii_only("run", "größe", state_dir=tmp_path)
    assert ended.returncode == 2
    assert "There is no workflow 'gr??e'." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_json_loses_nothing(tmp_path: Path) -> None:
    ended = ascii_only("run", "größe", "--json", state_dir=tmp_path)
    assert json.loads(ended.stdout)["error"]["what"] == "There is no workflow 'größe'."
