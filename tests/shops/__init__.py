"""Small databases as real shops have them, each with what misleads in it; their data is our own.

The days end on 2026-11-28: tests pass ``NOW``.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
FOLDER = Path(__file__).parent


def fill(url: str, shop: str) -> str:
    """Run a shop's script (``odoo``, ``bad_objects/sqlite``) on an empty database; its URL."""
    return run(url, (FOLDER / f"{shop}.sql").read_text(encoding="utf-8"))


def run(url: str, script: str) -> str:
    """Run a script of many statements on a database; its URL."""
    place = make_url(url)
    match place.get_backend_name():
        case "sqlite":
            with sqlite3.connect(str(place.database)) as file:
                file.executescript(script)
            file.close()
        case "postgresql":
            _run_postgresql(url, script)
        case _:
            _run_mariadb(url, script)
    return url


def _run_postgresql(url: str, script: str) -> None:
    import psycopg

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        # Scripts that say that they are portable are written as the other two have it.
        script = script.replace(" DATETIME", " TIMESTAMP").replace(" DOUBLE", " DOUBLE PRECISION")
        connection.execute(script.encode())


def _run_mariadb(url: str, script: str) -> None:
    import pymysql
    from pymysql.constants import CLIENT

    place = make_url(url)
    connection = pymysql.connect(
        host=place.host or "127.0.0.1",
        port=place.port or 3306,
        user=place.username,
        password=str(place.password or ""),
        database=place.database,
        client_flag=CLIENT.MULTI_STATEMENTS,
        autocommit=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(script)
        while cursor.nextset():
            pass
    connection.close()
