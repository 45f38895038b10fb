"""An empty database of each kind that a shop may be in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_SERVERS = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """URL of an empty database of a kind: ``sqlite``, ``postgresql``, ``mariadb``."""

    def url(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'shop.db'}"
        return str(request.getfixturevalue(_SERVERS[kind]))

    return url
