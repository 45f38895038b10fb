"""Suppliers reached over HTTP: authentication, formats, and what they offer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

import pandas as pd
from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from blocks.business.catalogues.answers import SupplierAnswer, is_a_part, problems_of
from blocks.business.catalogues.columns import (
    PriceStep,
    refuse_no_element_path,
    refuse_unknown_charset,
    refuse_unnamed,
)
from blocks.business.catalogues.reading import Agreed, read_offers
from blocks.business.credentials import Auth, auth_headers
from blocks.business.ordering.desks import ApiDesk, MailDesk
from blocks.business.terms import SupplierTerms
from blocks.egress import InternalHosts, Reach
from blocks.errors import ContractViolation, SourceGarbled
from blocks.formats.decimal_marks import DecimalMark
from blocks.formats.parsing import Format, Rows, UnreadableError, read_rows
from blocks.partners.answers import Answer, require_success
from blocks.partners.http import fetch
from blocks.partners.paging import Paging
from blocks.partners.partner import Partner
from blocks.vocabulary.frames import Problem
from blocks.vocabulary.messages import Name


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
    auth: Auth = Field(default="none", description="How it wants us to authenticate.")
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
    paging: Paging | None = Field(
        default=None,
        description="How its catalogue is divided into pages, where it is; CSV and XML by links "
        "alone.",
    )
    charset: str = Field(
        default="",
        description="What its text is written in, where its answers do not say so or are wrong: "
        "windows-1252.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Our column (sku, unit_cost, lead_time_days, min_order_units, and where they "
        "tell it available_units, from_units, pack_units, price_units, shelf_life_days, currency, "
        "unit) to theirs: a CSV column, dotted JSON keys (price.net, prices.0.net), an XML element "
        "path or @attribute. A column that is not named here has the same name there.",
    )
    price_steps: list[PriceStep] = Field(
        default_factory=list,
        description="Further prices in the same row: from how many pieces on (a number, or their "
        "column), and their column of the price.",
    )
    prices: Literal["net", "gross"] | None = Field(
        default=None,
        description="Whether its prices are without tax (net) or with it (gross); what goods cost "
        "is net.",
    )
    tax_rate: Decimal | None = Field(
        default=None, ge=0, lt=1, description="Of the tax in gross prices: 0.19 is 19 percent."
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
    ordering: ApiDesk | MailDesk | None = Field(
        default=None,
        discriminator="via",
        description="How it takes orders from us: an API, or mail; empty: it takes none.",
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
        return self

    @model_validator(mode="after")
    def _names_what_there_is(self) -> SupplierConnection:
        refuse_unnamed(self.columns, self.defaults)
        if self.format == "xml":
            for path in (self.records_path, *self._agreed.theirs(self.columns).values()):
                refuse_no_element_path(path)
        return self

    @model_validator(mode="after")
    def _can_be_read(self) -> SupplierConnection:
        if self.paging and self.paging.style != "link" and self.format != "json":
            raise ValueError(f"paging.style is 'link' for {self.format.upper()}")
        if self.charset:
            refuse_unknown_charset(self.charset)
        if self.prices == "gross" and not self.tax_rate:
            raise ValueError("prices = 'gross' needs the tax_rate that is in them: 0.19")
        if self.prices is None and self.tax_rate is not None:
            raise ValueError("tax_rate needs prices = 'net' or 'gross'")
        return self

    async def fetch_offers(self, now: datetime) -> SupplierAnswer:
        """Ask for the catalogue and read it as offers.

        Args:
            now: The instant of the check, stamped on the answer.

        Raises:
            SourceRefused: It refused our credentials or the request.
            SourceUnavailable: It cannot be reached, or answered 429 or 5xx, however often it was
                asked (see blocks.partners.partner); or it is left alone for a while.
            SourceTimeout: It did not answer completely within ``timeout``.
            SourceGarbled: It answered something else than a catalogue in its format, or one
                beyond the limits of blocks.formats.parsing.
        """
        return await self._read(self._pages(), now)

    async def look_at_offers(self, now: datetime) -> SupplierAnswer:
        """Ask for the catalogue once, to see how the supplier is.

        A look is neither repeated nor left out because earlier calls failed.

        Args:
            now: The instant of the check, stamped on the answer.

        Raises:
            SourceError: One of its family, as fetch_offers.
        """

        async def once() -> AsyncIterator[Answer]:
            yield await self._get(self.catalogue_path)

        return await self._read(once(), now)

    async def check(self) -> Answer:
        """Make the cheapest request that shows that it is reachable and knows us; once, as a look.

        Raises:
            SourceError: One of its family, as fetch_offers.
        """
        return await self._get(self.health_path or self.catalogue_path)

    async def ask(self, path: str) -> Answer:
        """Ask it for something, with our credentials.

        Args:
            path: Below the base URL.

        Returns:
            Its answer, whatever the status, unless that is 408, 429 or 5xx.

        Raises:
            OrchestratorError: As blocks.partners.partner.Partner.get.
        """
        return await self._partner.get(self._url(path), headers=self._auth())

    async def post(
        self, path: str, body: bytes, *, content_type: str, headers: Mapping[str, str]
    ) -> Answer:
        """Have it do something, with our credentials; never twice.

        Args:
            path: Below the base URL.
            body: What is sent.
            content_type: What that is.
            headers: Further headers.

        Returns:
            Its answer, as of ``ask``.

        Raises:
            OrchestratorError: As blocks.partners.partner.Partner.post.
        """
        return await self._partner.post(
            self._url(path), body, content_type=content_type, headers={**self._auth(), **headers}
        )

    async def _get(self, path: str) -> Answer:
        answer = await fetch(
            self._url(path),
            source=self.who,
            timeout=self.timeout,
            reach=self.reach,
            headers=self._auth(),
        )
        return require_success(answer, self.who)

    async def _pages(self) -> AsyncIterator[Answer]:
        """Its catalogue: one answer, or all pages."""
        url, headers = self._url(self.catalogue_path), self._auth()
        if self.paging is None:
            yield require_success(await self._partner.get(url, headers=headers), self.who)
            return
        records = self.records_path
        async for page in self._partner.pages(
            url, self.paging, records_path=records, headers=headers
        ):
            yield page

    async def _read(self, pages: AsyncIterator[Answer], now: datetime) -> SupplierAnswer:
        read = [(page, await self._rows(page)) async for page in pages]
        answer, rows = read[0][0], Rows.joined([part for _, part in read])
        frame, problems = await asyncio.to_thread(self._offers, rows)
        part = "" if self.paging else is_a_part(rows, answer.headers)
        return SupplierAnswer(
            supplier=self.name,
            fetched_at=now,
            frame=frame,
            rows=len(rows),
            status=answer.status,
            latency_ms=sum(page.latency_ms for page, _ in read),
            clock_skew_s=answer.clock_skew_s,
            problems=problems_of(rows, part, self.who) + problems,
        )

    def _url(self, path: str) -> str:
        return f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"

    @property
    def _partner(self) -> Partner:
        return Partner(self.who, reach=self.reach, timeout=self.timeout)

    def _auth(self) -> dict[str, str]:
        return auth_headers(
            self.auth,
            self.credential,
            username=self.username,
            api_key_header=self.api_key_header,
        )

    async def _rows(self, answer: Answer) -> Rows:
        """The wanted columns as they came, under our names."""
        wanted = self._agreed.theirs(self.columns)
        charset = self.charset or answer.charset
        try:
            return await read_rows(answer.body, self.format, self.records_path, wanted, charset)
        except UnreadableError as error:
            raise SourceGarbled(
                f"{self.who} did not answer a {self.format.upper()} catalogue: {error} "
                f"({answer.content_type or 'no content type'}, {len(answer.body)} bytes, "
                f"beginning {answer.beginning()!r}).",
                hint="Check the connection's format, catalogue_path and records_path.",
            ) from None

    def _offers(self, rows: Rows) -> tuple[pd.DataFrame, list[Problem]]:
        """The valid offers, and what is wrong with the others."""
        try:
            frame, problems = read_offers(rows.columns, self._agreed)
        except ContractViolation as error:
            raise SourceGarbled(
                f"{self.who} answered rows that are no offers: {error.what}",
                hint="Name its columns in the connection's columns, or give defaults.",
            ) from None
        return frame, problems if len(rows) else []

    @property
    def _agreed(self) -> Agreed:
        """What is known of its catalogue beside what that says."""
        return Agreed(
            supplier=self.name,
            defaults=self.defaults,
            decimal_mark=self.decimal_mark,
            price_steps=self.price_steps,
            currency=self.terms.currency,
            tax_rate=self.tax_rate or Decimal(0) if self.prices == "gross" else Decimal(0),
        )

    @property
    def reach(self) -> Reach:
        """What it may be called at."""
        return Reach(tuple(self.internal_hosts))

    @property
    def who(self) -> str:
        """As errors name it."""
        return f"supplier {self.name!r}"
