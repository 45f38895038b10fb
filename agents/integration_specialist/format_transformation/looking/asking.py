"""What may be asked of a database while a mapping is drawn up: small questions, by values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from agents.integration_specialist.format_transformation.catalogue import Table


class Asking(Protocol):
    """Questions about single values, which an index answers."""

    def holds(self, values: Iterable[Any], table: Table, column: str) -> float | None:
        """Which share of some values stands in a column; None where only a scan could tell."""

    def rows_with(self, values: Iterable[Any], table: Table, column: str) -> list[dict[str, Any]]:
        """Some rows that have one of these values in a column."""


class InSample:
    """Answers by the sampled rows alone."""

    def holds(self, values: Iterable[Any], table: Table, column: str) -> float | None:
        """See Asking."""
        wanted = {value for value in values if value is not None}
        known = {str(value) for value in table.values(column)}
        share = sum(str(value) in known for value in wanted) / len(wanted) if wanted else None
        return share if table.whole or share else None

    def rows_with(self, values: Iterable[Any], table: Table, column: str) -> list[dict[str, Any]]:
        """See Asking."""
        wanted = set(values)
        return [row for row in table.rows if row[column] in wanted]
