"""How every sample process starts: one name, one port, and its secrets from the environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from deployments.sample.faults import Faults, Trouble

CREDENTIAL = "SAMPLE_CREDENTIAL"
STORE_URL = "SAMPLE_STORE_URL"
DRILL_TOKEN = "SAMPLE_DRILL_TOKEN"  # noqa: S105  (the variable's name)


@dataclass(frozen=True)
class Place:
    """Who this process is, and where it listens.

    Attributes:
        name: The supplier's or service's name.
        host: Where it listens.
        port: And at which port.
        folder: Where it keeps what must outlive it.
        mail_port: Where it takes mail, if it does.
    """

    name: str
    host: str
    port: int
    folder: Path
    mail_port: int


def read_place(argv: Sequence[str] | None, names: Sequence[str]) -> Place:
    """Who we are to be, from ``NAME --port PORT …``; exits with usage otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=names)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--mail-port", type=int, default=0)
    return Place(**vars(parser.parse_args(argv)))


def serve(app: ASGIApp, place: Place, trouble: Trouble | None = None) -> None:
    """Serve until SIGTERM or SIGINT, breakable through the drill endpoint."""
    uvicorn.run(
        Faults(app, os.environ.get(DRILL_TOKEN, ""), trouble),
        host=place.host,
        port=place.port,
        lifespan="on",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
