"""Addresses of databases: which there are, and which of their options we take."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL

from blocks.errors import ConfigurationError

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
}

_FILE = r".+"
_YES_NO = r"(?i:true|false)"
_OPTIONS: dict[str, dict[str, str]] = {
    "postgresql": {
        "application_name": r"[\w .:-]{1,63}",
        "host": r"/.*",  # the folder of a Unix socket
        "sslcert": _FILE,
        "sslkey": _FILE,
        "sslmode": r"disable|allow|prefer|require|verify-ca|verify-full",
        "sslrootcert": _FILE,
        "target_session_attrs": r"any|read-write|read-only|primary|standby|prefer-standby",
    },
    "mysql": {
        "charset": r"utf8mb4|utf8mb3|utf8|latin1|ascii",  # others make quoting unsafe
        "ssl_ca": _FILE,
        "ssl_cert": _FILE,
        "ssl_check_hostname": _YES_NO,
        "ssl_key": _FILE,
        "ssl_verify_identity": _YES_NO,
        "unix_socket": r"/.*",
    },
    "sqlite": {"mode": "ro"},
}
"""What may follow the question mark, and its values. Drivers take much else that reads files, runs
statements or turns safeguards off: ``local_infile``, ``init_command``, ``options``, ``service``."""

FILES = frozenset({"sslcert", "sslkey", "sslrootcert", "ssl_ca", "ssl_cert", "ssl_key"})
"""The options that name a file."""

PORTS = {"postgresql": 5432, "mysql": 3306}
"""Where servers listen unless the URL says so."""

_SOCKETS = {"postgresql": "host", "mysql": "unix_socket"}
"""The option that names a Unix socket, by database."""


def parse_url(url: str, base: Path | None = None) -> URL:
    """Read a database URL, choosing the driver that is installed and an absolute SQLite path.

    Args:
        url: ``sqlite:///shop.db``, ``postgresql://user:password@host/db``, ``mysql://…``.
        base: Folder that a relative SQLite path starts from; the working directory if None.

    Raises:
        ConfigurationError: Not a URL, not one of these databases, or with an option that we do not
            take. The text shows no secret.
    """
    try:
        parsed = sa.make_url(url)
        driver = _DRIVERS[parsed.drivername.partition("+")[0]]
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "The store's url is not a database URL.",
            hint="Write it as postgresql://user:password@host:5432/database or sqlite:///file.db; "
            "special characters in a password are written as %40 for @ and so on.",
        ) from None
    except KeyError:
        raise ConfigurationError(
            f"Databases of type {parsed.drivername!r} are not supported.",
            hint="Use sqlite, postgresql, mysql or mariadb.",
        ) from None
    parsed = parsed.set(drivername=driver)
    _require_known_options(parsed)
    if driver != "sqlite":
        return parsed
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(
            "The store's url names no file.", hint="Write it as sqlite:///folder/file.db."
        )
    try:
        path = (base or Path.cwd()) / Path(parsed.database).expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f"The store's url names the home of an unknown user: {parsed.database}.",
            hint="Write the whole path: sqlite:////folder/file.db.",
        ) from None
    return sa.URL.create("sqlite", database=str(path))


def socket_of(url: URL) -> str:
    """The Unix socket that a URL names; "" when it names a host."""
    return options_of(url).get(_SOCKETS.get(url.get_backend_name(), ""), "")


def host_of(url: URL) -> str:
    """The host that a URL names, or its Unix socket; "" for a file."""
    if url.drivername == "sqlite":
        return ""
    return socket_of(url) or url.host or "localhost"


def options_of(url: URL) -> dict[str, str]:
    """What follows the question mark, once ``parse_url`` has let it pass."""
    return {name: value for name, value in url.query.items() if isinstance(value, str)}


def describe(url: URL) -> str:
    """The database as it may be shown: no user, no password, no query."""
    if url.drivername == "sqlite":
        return f"sqlite file {url.database}"
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


def _require_known_options(url: URL) -> None:
    known = _OPTIONS[url.get_backend_name()]
    for name, value in url.query.items():
        if name not in known:
            raise ConfigurationError(
                f"The store's url has the option {name!r}, which is not allowed.",
                hint=f"Allowed after the question mark: {', '.join(known)}.",
            )
        if not isinstance(value, str) or not re.fullmatch(known[name], value):
            raise ConfigurationError(
                f"The store's url has an unusable value for the option {name!r}.",
                hint="Write it once, as docs/connect-your-business.md says.",
            )
