"""What processes of ``tests.forked`` find imported."""

from __future__ import annotations

import os
import pkgutil

os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # or Prefect starts a server of its own

import flows
from deployments.worker.preloading import preload

preload(
    [
        *(f"flows.{module.name}" for module in pkgutil.iter_modules(flows.__path__)),
        "alembic.command",
        "deployments.registration.registration",
        "typer.main",
    ]
)
