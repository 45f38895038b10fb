"""Suppliers reached over HTTP: authentication, formats, and what they offer."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from xml.etree import ElementTree
from xml.parsers import expat

import pandas as pd
from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from blocks.decimal_marks import DecimalMark
from blocks.egress import InternalHosts, Reach
from blocks.errors import ContractViolation, SourceGarbled
from blocks.frames import OFFERS, Problem, conform
from blocks.http import Answer, fetch, require_success
from blocks.messages import Name


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
    format: Literal["json", "csv", "xml"] = Field(
        default="json", description="Format of its answers."
    )
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
        description="Our column (sku, unit_cost, lead_time_days, min_order_units) to theirs: "
        "a CSV column, dotted JSON keys (price.net), an XML element path or @attribute. "
        "A column that is not named here has the same name there.",
    )
    defaults: dict[str, float] = Field(
        default_factory=dict,
        description="Agreed values for columns that the catalogue does not carry, "
        "for instance lead_time_days = 5.",
    )
    decimal_mark: DecimalMark | None = Field(
        default=None,
        description="What sets off the decimals of its numbers that are text: . or , (told by the "
        "other values of the column where it is not set).",
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
            SourceGarbled: It answered something else than a catalogue in its format.
        """
        answer = await self._get(self.catalogue_path)
        raw = self._read(answer)
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
        if raw.empty:
            problems = [Problem("offers", "", f"{self._who} sent an empty catalogue")]
        return SupplierAnswer(
            supplier=self.name,
            fetched_at=now,
            frame=frame,
            rows=len(raw),
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

    def _read(self, answer: Answer) -> pd.DataFrame:
        """The rows as they came, under our column names."""
        theirs = {ours: self.columns.get(ours, ours) for ours in OFFERS.columns}
        try:
            match self.format:
                case "json":
                    return _from_json(answer.body, self.records_path, theirs)
                case "csv":
                    return _from_csv(answer.text(), theirs)
                case "xml":
                    return _from_xml(answer.body, self.records_path, theirs)
        except _UNREADABLE as error:
            what = (
                str(error)[:120] if isinstance(error, _NotACatalogueError) else "cannot be parsed"
            )
            raise SourceGarbled(
                f"{self._who} did not answer a {self.format.upper()} catalogue: {what} "
                f"({answer.content_type or 'no content type'}, {len(answer.body)} bytes, "
                f"beginning {answer.beginning()!r}).",
                hint="Check the connection's format, catalogue_path and records_path.",
            ) from None

    @property
    def reach(self) -> Reach:
        """What it may be called at."""
        return Reach(tuple(self.internal_hosts))

    @property
    def _who(self) -> str:
        return f"supplier {self.name!r}"


class _NotACatalogueError(ValueError):
    """Well-formed, but not what was promised; the text says in what way."""


_UNREADABLE = (
    ValueError,
    RecursionError,
    LookupError,  # an encoding that nobody knows
    csv.Error,
    ElementTree.ParseError,
    expat.ExpatError,
)


def _from_json(body: bytes, records_path: str, theirs: dict[str, str]) -> pd.DataFrame:
    node: Any = json.loads(body)
    for key in filter(None, records_path.split(".")):
        if not isinstance(node, dict) or key not in node:
            raise _NotACatalogueError(f"it has no {records_path!r}")
        node = node[key]
    if not isinstance(node, list) or not all(isinstance(row, dict) for row in node):
        raise _NotACatalogueError(f"{records_path or 'its top level'!r} is no list of objects")
    return _frame([{k: _dig(row, path) for k, path in theirs.items()} for row in node], node)


def _dig(row: Any, path: str) -> Any:
    if isinstance(row, dict) and path in row:
        return row[path]
    for key in path.split("."):
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _from_csv(text: str, theirs: dict[str, str]) -> pd.DataFrame:
    if "\0" in text:
        raise _NotACatalogueError("it is binary")
    header = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t|", key=header.count)
    rows = list(csv.DictReader(io.StringIO(text.lstrip()), delimiter=separator, strict=True))
    if header.lstrip().startswith(("<", "{", "[")):
        raise _NotACatalogueError("its first line is no CSV header")
    return _frame([{k: row.get(name) or None for k, name in theirs.items()} for row in rows], rows)


def _from_xml(body: bytes, records_path: str, theirs: dict[str, str]) -> pd.DataFrame:
    _refuse_doctype(body)
    root = ElementTree.fromstring(body)  # noqa: S314  (no DTD, so no entities to expand)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # namespaces only get in the way of paths
    elements = root.findall(records_path) if records_path else list(root)
    folder = records_path.rpartition("/")[0]
    if not elements and (root.find(folder) is None if folder else len(root)):
        raise _NotACatalogueError(f"it has no {records_path!r}")
    return _frame([{k: _find(e, p) for k, p in theirs.items()} for e in elements], elements)


def _find(element: ElementTree.Element, path: str) -> str | None:
    parent, is_attribute, attribute = path.partition("@")
    found = element.find(parent.rstrip("/")) if parent else element
    if found is None:
        return None
    return found.get(attribute) if is_attribute else found.text


def _is_element_path(path: str) -> bool:
    try:
        ElementTree.Element("root").findall(path)
    except (SyntaxError, TypeError, KeyError):  # of an unclosed predicate: TypeError
        return False
    return True


def _refuse_doctype(body: bytes) -> None:
    """Entities live in a DTD; a catalogue needs none (billion laughs, external entities)."""

    def refuse(*_: object) -> None:
        raise _NotACatalogueError("it declares a DOCTYPE, which is refused")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(body, True)


def _frame(rows: list[dict[str, Any]], source: list[Any]) -> pd.DataFrame:
    """One row per record; columns that no record has are left out, so that they are missed."""
    frame = pd.DataFrame(rows, columns=list(OFFERS.columns), dtype=object)
    return frame if not source else frame.dropna(axis="columns", how="all")
