"""Suppliers reached over HTTP: authentication, formats, and what they offer."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from xml.etree import ElementTree

import pandas as pd
from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from blocks.business.http import Answer, fetch, require_success
from blocks.business.terms import SupplierTerms
from blocks.egress import InternalHosts, Reach
from blocks.errors import ContractViolation, SourceGarbled
from blocks.formats.decimal_marks import DecimalMark
from blocks.formats.parsing import Format, UnreadableError, read_rows
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import OFFERS, Problem
from blocks.vocabulary.messages import Name


@dataclass(frozen=True)
class SupplierAnswer:
    """What a supplier offered, and how its connection behaved.

    Attributes:
        supplier: The supplier's name.
        fetched_at: When it was asked.
        frame: Valid rows, contract OFFERS.
        rows: How many rows it sent, valid or not.
        status: HTTP status.
        latency_ms: Time to the last byte.
        clock_skew_s: Its clock minus ours, to about half a second; None when unknown.
        problems: Rows that were set aside, and why.
    """

    supplier: str
    fetched_at: datetime
    frame: pd.DataFrame
    rows: int
    status: int
    latency_ms: float
    clock_skew_s: float | None
    problems: list[Problem] = field(default_factory=list)


class SupplierConnection(Block):
    """A supplier's HTTP API: where it is, how to authenticate, how to read its catalogue."""

    _block_type_name = "Supplier Connection"
    _block_type_slug = "supplier-connection"
    _description = (
        "A supplier's HTTP API: where it is, how to authenticate, how to read its catalogue."
    )

    name: Name = Field(description="Dashed name, equal to the block's name.")
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    base_url: str = Field(description="Address of the API: https://api.supplier.example/v1")
    format: Format = Field(default="json", description="Format of its answers.")
    auth: Literal["none", "api-key", "bearer", "basic"] = Field(
        default="none", description="How it wants us to authenticate."
    )
    credential: SecretStr | None = Field(
        default=None, description="The API key, the bearer token or the password."
    )
    username: str = Field(default="", description="User name, for basic authentication.")
    api_key_header: str = Field(
        default="X-API-Key", description="Header that carries the API key, for auth = api-key."
    )
    catalogue_path: str = Field(
        default="/", description="Path of the catalogue, below the base URL."
    )
    health_path: str | None = Field(
        default=None, description="Path of a cheap request that shows that it is well."
    )
    records_path: str = Field(
        default="",
        description="Where the rows are in the answer: dotted keys for JSON (data.items), "
        "an element path for XML (catalogue/item); unused for CSV.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Our column (sku, unit_cost, lead_time_days, min_order_units, and where they "
        "tell it from_units, pack_units, shelf_life_days, currency, unit) to theirs: "
        "a CSV column, dotted JSON keys (price.net), an XML element path or @attribute. "
        "A column that is not named here has the same name there.",
    )
    defaults: dict[str, float | str] = Field(
        default_factory=dict,
        description="Agreed values for columns that the catalogue does not carry, "
        'for instance lead_time_days = 5, or currency = "USD".',
    )
    decimal_mark: DecimalMark | None = Field(
        default=None,
        description="What sets off the decimals of its numbers that are text: . or , (told by the "
        "other values of the column where it is not set).",
    )
    terms: SupplierTerms = Field(
        default_factory=SupplierTerms,
        description="What it asks of a whole order: currency, minimum value, freight.",
    )
    latency_budget_ms: float = Field(
        default=2000.0, gt=0, description="Slower answers than this are reported."
    )
    internal_hosts: InternalHosts = Field(default_factory=list)
    timeout: float = Field(default=10.0, gt=0, description="Seconds that one request may take.")

    @model_validator(mode="after")
    def _has_what_its_auth_needs(self) -> SupplierConnection:
        if self.auth != "none" and self.credential is None:
            raise ValueError(f"auth {self.auth!r} needs a credential")
        unknown = sorted((set(self.columns) | set(self.defaults)) - set(OFFERS.columns))
        if unknown:
            raise ValueError(
                f"{', '.join(map(repr, unknown))}: offers have only {', '.join(OFFERS.columns)}"
            )
        for column, value in self.defaults.items():
            is_text = str(OFFERS.columns[column].dtype) != "float64"
            if isinstance(value, str) != is_text:
                raise ValueError(f"defaults.{column} is {'a text' if is_text else 'a number'}")
        if self.format == "xml":
            for path in (self.records_path, *self.columns.values()):
                if not _is_element_path(path.partition("@")[0].rstrip("/")):
                    raise ValueError(f"{path!r} is no element path such as catalogue/item")
        return self

    async def fetch_offers(self, now: datetime) -> SupplierAnswer:
        """Ask for the catalogue and read it as offers.

        Args:
            now: The instant of the check, stamped on the answer.

        Raises:
            SourceRefused: It refused our credentials or the request.
            SourceUnavailable: It cannot be reached, or answered 429 or 5xx.
            SourceTimeout: It did not answer completely within ``timeout``.
            SourceGarbled: It answered something else than a catalogue in its format, or one
                beyond the limits of blocks.formats.parsing.
        """
        answer = await self._get(self.catalogue_path)
        rows = await self._rows(answer)
        frame, problems, count = await asyncio.to_thread(self._offers, rows)
        return SupplierAnswer(
            supplier=self.name,
            fetched_at=now,
            frame=frame,
            rows=count,
            status=answer.status,
            latency_ms=answer.latency_ms,
            clock_skew_s=answer.clock_skew_s,
            problems=problems,
        )

    async def check(self) -> Answer:
        """Make the cheapest request that shows that it is reachable and knows us.

        Raises:
            SourceError: One of its family, as fetch_offers.
        """
        return await self._get(self.health_path or self.catalogue_path)

    async def _get(self, path: str) -> Answer:
        url = f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"
        answer = await fetch(
            url, source=self._who, timeout=self.timeout, reach=self.reach, headers=self._auth()
        )
        return require_success(answer, self._who)

    def _auth(self) -> dict[str, str]:
        secret = self.credential.get_secret_value() if self.credential else ""
        match self.auth:
            case "api-key":
                return {self.api_key_header: secret}
            case "bearer":
                return {"Authorization": f"Bearer {secret}"}
            case "basic":
                # As the environment gave it: bytes that are no UTF-8 come as lone surrogates.
                pair = f"{self.username}:{secret}".encode(errors="surrogateescape")
                return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}
        return {}

    async def _rows(self, answer: Answer) -> dict[str, list[Any]]:
        """The wanted columns as they came, under our names."""
        theirs = {ours: self.columns.get(ours, ours) for ours in OFFERS.columns}
        try:
            return await read_rows(answer.body, self.format, self.records_path, theirs)
        except UnreadableError as error:
            raise SourceGarbled(
                f"{self._who} did not answer a {self.format.upper()} catalogue: {error} "
                f"({answer.content_type or 'no content type'}, {len(answer.body)} bytes, "
                f"beginning {answer.beginning()!r}).",
                hint="Check the connection's format, catalogue_path and records_path.",
            ) from None

    def _offers(self, rows: dict[str, list[Any]]) -> tuple[pd.DataFrame, list[Problem], int]:
        """The valid offers, what is wrong with the others, and how many there were."""
        raw = pd.DataFrame(rows, dtype=object)
        count = len(raw)
        if count:  # a column that no row has is missed, unless there is no row
            raw = raw.dropna(axis="columns", how="all")
        raw["supplier"] = self.name
        for column, value in self.defaults.items():
            raw[column] = raw[column].fillna(value) if column in raw else value
        try:
            frame, problems = conform(raw, OFFERS, self.decimal_mark)
        except ContractViolation as error:
            raise SourceGarbled(
                f"{self._who} answered rows that are no offers: {error.what}",
                hint="Name its columns in the connection's columns, or give defaults.",
            ) from None
        if not count:
            problems = [Problem("offers", "", f"{self._who} sent an empty catalogue")]
        return frame, problems, count

    @property
    def reach(self) -> Reach:
        """What it may be called at."""
        return Reach(tuple(self.internal_hosts))

    @property
    def _who(self) -> str:
        return f"supplier {self.name!r}"


def _is_element_path(path: str) -> bool:
    try:
        ElementTree.Element("root").findall(path)
    except (SyntaxError, TypeError, KeyError):  # of an unclosed predicate: TypeError
        return False
    return True
