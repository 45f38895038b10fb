"""Connections to somebody else's database, to the address that was looked at, with a time limit."""

from __future__ import annotations

import os
import socket
import sqlite3
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import URL

from blocks import egress
from blocks.egress import Reach
from blocks.errors import ConfigurationError
from blocks.store.url import FILES, PORTS, options_of, socket_of

CONNECT_SECONDS = 10.0
"""Longest that connecting may take, logging in included; reading may take longer."""

GARBLED = (ValueError, TypeError, LookupError, AssertionError, RuntimeError, struct.error)
"""What drivers make of a server that breaks their protocol; a RuntimeError is PyMySQL's answer to
one that asks for a file of ours."""

_STORE = "The store's database"
"""Whom we call, in error messages."""


def open_connection(url: URL, deadline: float, reach: Reach) -> Any:
    """A driver's connection, made of the parts of the URL that we take, and of nothing else.

    Args:
        url: As ``parse_url`` gives it.
        deadline: Of ``time.monotonic()``, until when the server must have let us in.
        reach: Which internal hosts and files may be read.

    Raises:
        ConfigurationError: The host or a file may not be reached, or a certificate is none.
        sqlite3.Error, psycopg.Error, pymysql.MySQLError, OSError: The driver's, and what GARBLED
            names.
    """
    match url.get_backend_name():
        case "sqlite":
            return _sqlite(url, deadline, reach)
        case "postgresql":
            return _postgresql(url, deadline, reach)
        case _:
            return _mysql(url, deadline, reach)


@contextmanager
def hung_up_after(raw: Any, deadline: float) -> Iterator[None]:
    """Shut a connection's socket down when time is up; the driver, which waits, then fails.

    Args:
        raw: A driver's connection, or a socket; of SQLite's, which has none, nothing is done.
        deadline: Of ``time.monotonic()``.
    """
    if isinstance(raw, sqlite3.Connection):
        yield
        return
    number = raw.fileno() if hasattr(raw, "fileno") else raw._sock.fileno()
    with socket.socket(fileno=os.dup(number)) as line:  # the driver may wrap or close its own
        watchdog = threading.Timer(max(0.1, deadline - time.monotonic()), _shut_down, (line,))
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()


def _shut_down(line: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile: nothing waits any more
        line.shutdown(socket.SHUT_RDWR)


def _sqlite(url: URL, deadline: float, reach: Reach) -> sqlite3.Connection:
    file = egress.readable_file(url.database or "", reach)
    uri = f"file:{quote(str(file))}?mode=ro"
    raw = sqlite3.connect(uri, uri=True, timeout=min(5.0, _left(deadline)))
    # A text that is no UTF-8 costs its own row, not the whole read.
    raw.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    return raw


def _postgresql(url: URL, deadline: float, reach: Reach) -> Any:
    import psycopg

    place: dict[str, Any]
    if path := socket_of(url):
        egress.require_socket(path, reach, _STORE)
        place, tries = {"host": path, "port": url.port or PORTS["postgresql"]}, 1
    else:
        host, port = url.host or "localhost", url.port or PORTS["postgresql"]
        addresses = egress.resolve(host, port, reach, _STORE)
        tries = len(addresses)
        # The name stays, for the certificate and for .pgpass; what is called is the address.
        place = {
            "host": ",".join([host] * tries),
            "hostaddr": ",".join(addresses),
            "port": ",".join([str(port)] * tries),
        }
    return psycopg.connect(
        **(_with_files(options_of(url), reach) | place),
        dbname=url.database,
        user=url.username,
        password=url.password and str(url.password),
        connect_timeout=max(2, round(_left(deadline) / tries)),  # libpq's least
    )


def _mysql(url: URL, deadline: float, reach: Reach) -> Any:
    import pymysql

    host, port = url.host or "localhost", url.port or PORTS["mysql"]
    options = _with_files(options_of(url), reach)
    raw = pymysql.Connection(
        host=host,  # for the certificate; the line is ours
        user=url.username,
        password=str(url.password or "").encode(),  # text would be sent as Latin-1
        database=url.database,
        charset=options.get("charset", "utf8mb4"),
        ssl=_mysql_tls(options),
        local_infile=False,  # a server that asks for one of our files gets none
        defer_connect=True,
    )
    if path := socket_of(url):
        egress.require_socket(path, reach, _STORE)
        line = egress.connect_socket(path, _left(deadline))
    else:
        addresses = egress.resolve(host, port, reach, _STORE)
        line = egress.connect(addresses, port, _left(deadline))
    with hung_up_after(line, deadline):
        raw.connect(line)
    return raw


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


def _with_files(options: dict[str, str], reach: Reach) -> dict[str, str]:
    """The options, with the files that may be read in place of their names."""
    return {
        name: str(egress.readable_file(value, reach))
        if name in FILES and value != "system"  # libpq's word for the system's certificates
        else value
        for name, value in options.items()
    }


def _mysql_tls(options: dict[str, str]) -> ssl.SSLContext | None:
    """How to check the server, where the URL asks for it; else TLS is used where it is offered."""
    if not any(name.startswith("ssl_") for name in options):
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"))
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
    except OSError as error:  # what OpenSSL says is an OSError too
        raise ConfigurationError(
            f"The certificates that the store's url names cannot be used: {error.strerror}.",
            hint="ssl_ca, ssl_cert and ssl_key are files in PEM format.",
        ) from None
    context.check_hostname = options.get("ssl_check_hostname", "true").lower() == "true"
    return context
