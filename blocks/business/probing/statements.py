"""Probing a database: one question, read-only, and the answer that it should give."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from blocks.business.probing.seen import Call, Fault, Seen
from blocks.errors import ConfigurationError, SourceError
from blocks.models import Strict
from blocks.store import sql
from blocks.store.url import host_of, parse_url

_THREADS = ThreadPoolExecutor(16, thread_name_prefix="sql-probe")
"""Drivers block; those that wait for a dead server keep nobody else in this process waiting."""

_QUESTION = re.compile(r"\s*(select|with)\b[^;]*;?\s*", re.IGNORECASE)

_QUOTED = re.compile(r" LINE \d+: .*(?=\)\.)")


class SqlCheck(Strict):
    """A SELECT whose first value is compared."""

    kind: Literal["sql"] = "sql"
    url: SecretStr = Field(description="As of a store: postgresql://user:password@host/database")
    query: str = Field(default="SELECT 1", description="One SELECT.")
    expect: str | int | float | None = Field(
        default=None, description="What its first value must be; any value is good when empty."
    )
    at_least: float | None = Field(default=None, description="The least that it may be.")
    at_most: float | None = Field(default=None, description="The most that it may be.")

    @field_validator("url")
    @classmethod
    def _is_a_database(cls, value: SecretStr) -> SecretStr:
        try:
            parse_url(value.get_secret_value())
        except ConfigurationError as error:
            raise ValueError(_of_a_probe(str(error), "the probe")) from None
        return value

    @field_validator("query")
    @classmethod
    def _is_a_question(cls, value: str) -> str:
        if not _QUESTION.fullmatch(value):
            raise ValueError("a probe asks one SELECT")
        return value

    @property
    def hosts(self) -> list[str]:
        """Whom it names; nobody for a file."""
        host = host_of(parse_url(self.url.get_secret_value()))
        return [host] if host else []

    async def look(self, call: Call) -> Seen:
        """Ask once, in a transaction that can write nothing.

        Raises:
            SourceError: The database cannot be reached, or refuses the question.
            ConfigurationError: The host or the file may not be read.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_THREADS, self._ask, call)

    def _ask(self, call: Call) -> Seen:
        url, began = parse_url(self.url.get_secret_value()), time.perf_counter()
        try:
            with sql.reading(url, call.timeout, call.reach) as connection:
                row = connection.exec_driver_sql(self.query.rstrip().rstrip(";")).first()
        except (SourceError, ConfigurationError) as error:
            what = _of_a_probe(error.what, call.who)
            raise type(error)(what, hint=_of_a_probe(error.hint, call.who)) from None
        took = round((time.perf_counter() - began) * 1000, 1)
        value = row[0] if row else None
        number = _number(value)
        values = {} if number is None else {"value": float(number)}
        return Seen(self._fault(row is None, value, number), took, values)

    def _fault(self, is_empty: bool, value: Any, number: Decimal | None) -> Fault | None:
        if self.expect is None and self.at_least is None and self.at_most is None:
            return None
        if is_empty:
            return Fault("the query gives no row")
        # A number is told, a text is not: it may be anything, a secret included.
        told = "a text or nothing" if number is None else f"{number:,}"
        if self.expect is not None and not _equal(value, number, self.expect):
            return Fault(f"the query gives {told} instead of {self.expect!r}")
        if self.at_least is None and self.at_most is None:
            return None
        if number is None:
            return Fault(f"the query gives {told}, which is no number")
        if self.at_least is not None and number < Decimal(str(self.at_least)):
            return Fault(f"the query gives {told}, less than {self.at_least:g}")
        if self.at_most is not None and number > Decimal(str(self.at_most)):
            return Fault(f"the query gives {told}, more than {self.at_most:g}")
        return None


def _of_a_probe(text: str, who: str) -> str:
    """What is said of the store's database, which is read in the same way, said of a probe's.

    Without the statement, of which PostgreSQL quotes the line at fault.
    """
    said = _QUOTED.sub("", text)
    for ours, its in (
        ("The store's database", f"The database of {who}"),
        ("The store's url", "Its url"),
        ("the store's url", "its url"),
    ):
        said = said.replace(ours, its)
    return said


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(value)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _equal(value: Any, number: Decimal | None, wanted: str | int | float) -> bool:
    if isinstance(wanted, str):
        return str(value) == wanted
    return number is not None and number == Decimal(str(wanted))
