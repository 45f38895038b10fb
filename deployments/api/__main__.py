"""Serves the API: ``python -m deployments.api``."""

from __future__ import annotations

import sys

from blocks.errors import OrchestratorError
from blocks.machine.state_folder import files_for_us_alone
from blocks.prefect_api.env import use_embedded_prefect


def main() -> int:
    """Serve until SIGTERM; exit code 1 when the API cannot start."""
    files_for_us_alone()
    try:
        use_embedded_prefect()
        from deployments.api.serving import serve

        serve()
    except OrchestratorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
