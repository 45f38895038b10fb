"""Cutting off the connections of a PostgreSQL server, as a restart or an administrator does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url


def administrator(url: str) -> psycopg.Connection[tuple[int]]:
    """A connection to the server of a database, beside it."""
    server = make_url(url).set(drivername="postgresql", database="postgres")
    return psycopg.connect(server.render_as_string(hide_password=False), autocommit=True)


def terminate(url: str, pid: int) -> None:
    """Cut one connection off; returns when it is gone."""
    with administrator(url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@contextmanager
def cut_off_again_and_again(url: str, every: float) -> Iterator[list[int]]:
    """Cut all connections to a database off, every few moments; yields whom it has cut off."""
    name, over, cut = make_url(url).database, threading.Event(), list[int]()

    def go_on() -> None:
        with administrator(url) as connection:
            while not over.wait(every):
                # In two steps: in one, the planner may cut somebody off before it asks for whom.
                find = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
                for (pid,) in connection.execute(find, (name,)).fetchall():
                    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
                    cut.append(pid)

    killer = threading.Thread(target=go_on, name="killer")
    killer.start()
    try:
        yield cut
    finally:
        over.set()
        killer.join()
