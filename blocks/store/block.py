"""The store's database: any SQL database, mapped to our frames."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from prefect.blocks.core import Block
from pydantic import Field, PrivateAttr, SecretStr, field_validator

from blocks.egress import InternalHosts, Reach
from blocks.errors import ConfigurationError
from blocks.formats.decimal_marks import DecimalMark
from blocks.store.hours.counts import OrderCounts
from blocks.store.hours.reading import count_orders, newest_elsewhere
from blocks.store.mapping import STORE_FRAMES, Frame, StoreSource
from blocks.store.reader import StoreCheck, check_store, read_store
from blocks.store.sql import parse_url
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.frames import CONTRACTS, NO_CURRENCY, Snapshot
from blocks.vocabulary.messages import Name

CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class StoreDatabase(Block):
    """The store's own SQL database, read-only, and how its tables map to our frames."""

    _block_type_name = "Store Database"
    _block_type_slug = "store-database"
    _description = "The store's own SQL database, read-only, and how its tables map to our frames."

    name: Name = Field(description="Dashed name, equal to the block's name.")
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    url: SecretStr = Field(
        description="postgresql://user:password@host:5432/db, mysql://…, or sqlite:////path/file.db"
    )
    currency: CurrencyCode = Field(
        default=NO_CURRENCY,
        description="Three capital letters, such as EUR; amounts are told as XXX until it is set.",
    )
    rates: dict[CurrencyCode, Annotated[float, Field(gt=0, lt=1e9)]] = Field(
        default_factory=dict,
        description="What one unit of another currency is worth in ours: USD = 0.92. Amounts in "
        "a currency without a rate are kept apart.",
    )
    amounts: Amounts = Field(
        default_factory=Amounts,
        description="What is in the revenue (tax, discounts, refunds, shipping): included, "
        "excluded or unknown.",
    )
    timezone: str = Field(
        default="UTC", description="IANA zone of the store; dates without a zone are in it."
    )
    decimal_mark: DecimalMark | None = Field(
        default=None,
        description="What sets off the decimals of numbers that are kept as text: . or , "
        "(told by the other values of the column where it is not set).",
    )
    frames: dict[str, Frame] = Field(
        default_factory=dict,
        description=f"Where each frame is: {', '.join(STORE_FRAMES)}; one mapping or a list. "
        "./orchestrator connect URL proposes it.",
    )
    history_days: int = Field(default=800, ge=1, description="How far back sales are read.")
    statement_timeout: float = Field(
        default=30.0,
        gt=0,
        le=100,
        description="Seconds that a statement may take, and reading all frames but sales together, "
        "at most 100.",
    )
    max_rows: int = Field(
        default=2_000_000,
        ge=1,
        description="Most rows read one by one per frame, the newest first; sales are added up by "
        "the database, however many lines there are.",
    )

    settled_days: int = Field(
        default=35,
        ge=1,
        description="Sales older than so many days are settled: they are kept, and of their months "
        "the newest and another one are looked at again each day. Cancellations and returns come "
        "before.",
    )

    internal_hosts: InternalHosts = Field(default_factory=list)
    _in_file: bool = PrivateAttr(default=False)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from None
        return value

    @field_validator("frames")
    @classmethod
    def _known_frames(cls, value: dict[str, Frame]) -> dict[str, Frame]:
        for name, mappings in value.items():
            if name not in STORE_FRAMES:
                raise ValueError(f"{name!r} is no frame; there is {', '.join(STORE_FRAMES)}")
            mapped = {column for mapping in mappings for column in mapping.columns}
            unknown = sorted(mapped - set(CONTRACTS[name].columns))
            if unknown:
                raise ValueError(
                    f"{name} has no column {', '.join(map(repr, unknown))}; "
                    f"it has {', '.join(CONTRACTS[name].columns)}"
                )
        return value

    @property
    def reach(self) -> Reach:
        """What may be read; of files, no block can name one that is outside the folders."""
        return Reach(tuple(self.internal_hosts), any_file=self._in_file)

    def take_from_file(self) -> None:
        """Count as written in the business file: its word lets any file be read."""
        self._in_file = True

    async def read_snapshot(self, now: datetime, *, kept_in: Path | None = None) -> Snapshot:
        """Read every mapped frame as it is, changing nothing.

        Args:
            now: The instant; only days that have ended before it are in ``sales`` and ``orders``.
            kept_in: Folder in which months of sales are kept once they are settled; None reads
                all from the database.

        Returns:
            Frames ``products``, ``stock``, ``sales``, ``orders``, ``open_orders``. One that cannot
            be read is absent, with a Problem that says why.

        Raises:
            ConfigurationError: The url is unusable or leads where we may not go (see
                blocks.egress), or no frame is mapped.
            SourceUnavailable: The database cannot be reached, is locked or gone.
            SourceTimeout: It did not finish within ``statement_timeout``.
            SourceRefused: Wrong password, unknown database, missing rights.
        """
        if not self.frames:
            raise ConfigurationError(
                f"Store {self.name!r} maps no frames.",
                hint="Let ./orchestrator connect URL propose the mapping.",
            )
        return await asyncio.to_thread(read_store, self._source(kept_in), now)

    async def check(self, rows: int = 0) -> StoreCheck:
        """See whether the database is there and knows us, and look at its newest rows.

        Args:
            rows: How many rows of each mapped frame to hold against its contract; 0 for none.

        Raises:
            SourceError: As read_snapshot.
        """
        return await asyncio.to_thread(check_store, self._source(), rows)

    async def count_orders(
        self, since: datetime, until: datetime, *, seconds: float = 30.0
    ) -> OrderCounts:
        """Count the orders of each five minutes, the newest first, for as long as there is time.

        Lines that the database cannot read by itself (see blocks.store.days.typed) are not among
        them.

        Args:
            since: From this instant on.
            until: Before this one; the five minutes that it lies in are left out.
            seconds: After which no further two weeks are begun: what is older is left out then.

        Raises:
            ContractViolation: Orders have no time of day, or cannot be counted by the database.
            SourceError: As read_snapshot.
        """
        return await asyncio.to_thread(count_orders, self._source(), since, until, seconds)

    async def newest_elsewhere(self) -> dict[str, datetime]:
        """The newest of what else the database holds: whether it is written to at all.

        Order lines of every state are among it, those that no mapping counts as sold, too.

        Raises:
            DataError: What is mapped is not there.
            SourceError: As read_snapshot.
        """
        return await asyncio.to_thread(newest_elsewhere, self._source())

    def _source(self, kept_in: Path | None = None) -> StoreSource:
        return StoreSource(
            name=self.name,
            url=parse_url(self.url.get_secret_value()),
            reach=self.reach,
            currency=self.currency,
            rates=self.rates,
            amounts=self.amounts,
            timezone=self.timezone,
            decimal_mark=self.decimal_mark,
            frames=self.frames,
            history_days=self.history_days,
            statement_timeout=self.statement_timeout,
            max_rows=self.max_rows,
            settled_days=self.settled_days,
            kept_in=kept_in,
        )
