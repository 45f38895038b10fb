"""What we look after: a store, its suppliers, services and partners, from blocks or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import PrefectHTTPStatusError
from pydantic import ValidationError

from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.business.file import BusinessBlock, faults, read_business_file
from blocks.business.probes import Probe
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.business.webhooks.senders import WebhookSource
from blocks.errors import ConfigurationError, NoBusinessConfigured
from blocks.prefect_api.client import prefect_client
from blocks.settings import get_settings
from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import NO_CURRENCY

SAMPLE = "sample"
"""Origin of the sample business, which steps back as soon as there is another."""

B = TypeVar(
    "B",
    StoreDatabase,
    SupplierConnection,
    MonitoredService,
    Probe,
    WebhookSource,
    WebhookEndpoint,
)
_WHAT_IT_IS = (StoreDatabase, SupplierConnection, MonitoredService)
KINDS: tuple[type[BusinessBlock], ...] = (
    StoreDatabase,
    SupplierConnection,
    MonitoredService,
    Probe,
    WebhookSource,
    WebhookEndpoint,
)
"""The types of block that a business is made of."""


@dataclass(frozen=True)
class Business:
    """What we look after, as the actions see it.

    Attributes:
        store: Its database; None when only suppliers or services are configured.
        suppliers: Whom it buys from.
        services: What it depends on.
        probes: What is asked again and again, beside the services.
        webhooks: Who tells it what happens.
        endpoints: Whom it tells what happens.
        left_out: What is configured and cannot be used, and why, in words.
    """

    store: StoreDatabase | None
    suppliers: tuple[SupplierConnection, ...] = ()
    services: tuple[MonitoredService, ...] = ()
    probes: tuple[Probe, ...] = ()
    webhooks: tuple[WebhookSource, ...] = ()
    endpoints: tuple[WebhookEndpoint, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The store's name, or ``business``."""
        return self.store.name if self.store else "business"

    @property
    def currency(self) -> str:
        """ISO code of its money; NO_CURRENCY when nobody has said."""
        return self.store.currency if self.store else NO_CURRENCY

    @property
    def timezone(self) -> str:
        """IANA zone of its trading days."""
        return self.store.timezone if self.store else "UTC"

    def blocks(self) -> Iterator[BusinessBlock]:
        """All its blocks."""
        if self.store:
            yield self.store
        yield from self.suppliers
        yield from self.services
        yield from self.probes
        yield from self.webhooks
        yield from self.endpoints

    @classmethod
    def of(cls, blocks: Sequence[BusinessBlock]) -> Business:
        """The business that some blocks make up.

        Raises:
            ConfigurationError: There are two stores.
        """
        stores = _of_type(blocks, StoreDatabase)
        if len(stores) > 1:
            raise ConfigurationError(
                f"There are {len(stores)} stores: {', '.join(s.name for s in stores)}.",
                hint="Keep one Store Database block and delete the others.",
            )
        return cls(
            store=stores[0] if stores else None,
            suppliers=tuple(_of_type(blocks, SupplierConnection)),
            services=tuple(_of_type(blocks, MonitoredService)),
            probes=tuple(_of_type(blocks, Probe)),
            webhooks=tuple(_of_type(blocks, WebhookSource)),
            endpoints=tuple(_of_type(blocks, WebhookEndpoint)),
        )

    @classmethod
    def from_toml(cls, path: Path) -> Business:
        """Read a business from a TOML file.

        It has ``[store]``, ``[[suppliers]]``, ``[[services]]``, ``[[probes]]``, ``[[webhooks]]``
        and ``[[endpoints]]``.
        ``${NAME}`` in any text is replaced by that environment variable, so that secrets stay out
        of the file. A relative SQLite path starts at the file's folder.

        Raises:
            ConfigurationError: Names the file and the key at fault; never shows a value.
        """
        return cls.of(read_business_file(path))


async def current_business() -> Business:
    """The business that is configured: the file if one is named, else the saved blocks.

    Blocks of origin ``sample`` count only while there are no others. A part that cannot be used
    is left out, and named in ``left_out``.

    Raises:
        NoBusinessConfigured: Neither a file nor a block.
        ConfigurationError: Nothing of what is configured can be used.
        SourceError: The Prefect API does not answer.
    """
    file = get_settings().business_file
    if file:
        faulty: list[ConfigurationError] = []
        return _usable(read_business_file(file, faulty), faulty)
    blocks, bad = [], []
    for document in await _documents():
        try:
            blocks.append(_from_document(document))
        except ConfigurationError as error:
            bad.append(error)
    if not blocks and not bad:
        raise NoBusinessConfigured(
            "No business is configured.",
            hint="Start with a sample business: ./orchestrator up, or connect your own: "
            "./orchestrator connect URL.",
        )
    own = [block for block in blocks if block.origin != SAMPLE]
    if not any(isinstance(block, _WHAT_IT_IS) for block in own):
        own = []  # whom to tell, or what to probe beside it, makes no business of its own
    if bad and not own:
        raise bad[0]  # the sample does not stand in for a business that is there, and broken
    return _usable(own or blocks, bad)


def _usable(blocks: list[BusinessBlock], bad: list[ConfigurationError]) -> Business:
    """The business of the blocks that can be used; of several stores none can."""
    try:
        business = Business.of(blocks)
    except ConfigurationError as error:
        others = [b for b in blocks if not isinstance(b, StoreDatabase)]
        if not others:
            raise
        bad, business = [*bad, error], Business.of(others)
    return replace(business, left_out=tuple(str(error) for error in bad))


async def local_timezone() -> str:
    """IANA zone of schedules and of the times that people are told: as set, else the store's.

    UTC while neither is there, or the business cannot be read.
    """
    if zone := get_settings().timezone:
        return zone
    try:
        return (await current_business()).timezone
    except (NoBusinessConfigured, ConfigurationError):
        return "UTC"


async def save_business(business: Business, *, origin: str) -> list[str]:
    """Save every part of a business as a block document, and remove what it replaces.

    Removed are documents of the same ``origin``, or of the sample, that the business no longer
    has. Idempotent.

    Args:
        business: What to save.
        origin: Who saves it: ``sample``, ``connect``, ``file``.

    Returns:
        The documents' names as ``block-type/name``.

    Raises:
        SourceError: The Prefect API does not answer.
    """
    saved = []
    async with prefect_client(deadline=None) as client:
        for block in business.blocks():
            copy = block.model_copy(update={"origin": origin})
            await copy.asave(block.name, overwrite=True, client=client)
            saved.append(f"{block.get_block_type_slug()}/{block.name}")
        for document in await _read_documents(client):
            slug = document.block_type.slug if document.block_type else ""
            replaced = document.data.get("origin") in (origin, SAMPLE)
            if replaced and f"{slug}/{document.name}" not in saved:
                await client.delete_block_document(document.id)
    return saved


async def _documents() -> list[BlockDocument]:
    async with prefect_client() as client:
        return await _read_documents(client)


async def _read_documents(client: PrefectClient) -> list[BlockDocument]:
    found: list[BlockDocument] = []
    for kind in KINDS:
        try:
            found += await client.read_block_documents_by_type(
                kind.get_block_type_slug(), include_secrets=True
            )
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 404:  # 404: a type that nobody registered yet
                raise
    return found


def _from_document(document: BlockDocument) -> BusinessBlock:
    slug = document.block_type.slug if document.block_type else ""
    kind = next(k for k in KINDS if k.get_block_type_slug() == slug)
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError(
            f"The block {slug}/{document.name} cannot be used: {faults(error)}.",
            hint="Edit it in the Prefect UI under Blocks.",
        ) from None


def _of_type(blocks: Sequence[BusinessBlock], kind: type[B]) -> list[B]:
    return sorted((b for b in blocks if isinstance(b, kind)), key=lambda b: b.name)
