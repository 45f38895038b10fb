"""What we look after: one store, its suppliers, its services, from blocks or from a file."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import PrefectHTTPStatusError
from pydantic import BaseModel, SecretStr, ValidationError

from blocks.errors import ConfigurationError, NoBusinessConfigured, SourceUnavailable
from blocks.partners import SupplierConnection
from blocks.services import MonitoredService
from blocks.settings import get_settings
from blocks.sql import parse_url
from blocks.stores import FrameMapping, Join, StoreDatabase

SAMPLE = "sample"
"""Origin of the sample business, which steps back as soon as there is another."""

BusinessBlock = StoreDatabase | SupplierConnection | MonitoredService
B = TypeVar("B", StoreDatabase, SupplierConnection, MonitoredService)
_KINDS: tuple[type[BusinessBlock], ...] = (StoreDatabase, SupplierConnection, MonitoredService)
_REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Business:
    """What we look after, as the actions see it.

    Attributes:
        store: Its database; None when only suppliers or services are configured.
        suppliers: Whom it buys from.
        services: What it depends on.
    """

    store: StoreDatabase | None
    suppliers: tuple[SupplierConnection, ...] = ()
    services: tuple[MonitoredService, ...] = ()

    @property
    def name(self) -> str:
        """The store's name, or ``business``."""
        return self.store.name if self.store else "business"

    @property
    def currency(self) -> str:
        """ISO code of its money."""
        return self.store.currency if self.store else "GBP"

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

    @classmethod
    def of(cls, blocks: list[BusinessBlock]) -> Business:
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
        )

    @classmethod
    def from_toml(cls, path: Path) -> Business:
        """Read a business from a TOML file: ``[store]``, ``[[suppliers]]``, ``[[services]]``.

        ``${NAME}`` in any text is replaced by that environment variable, so that secrets stay out
        of the file. A relative SQLite path starts at the file's folder.

        Raises:
            ConfigurationError: Names the file and the key at fault; never shows a value.
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(
                f"The business file {path} cannot be read: {error.strerror}.",
                hint="Check ORCHESTRATOR_BUSINESS_FILE, or write one with ./orchestrator connect.",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} is not TOML: {error}.") from None
        try:
            return cls.of(_read_sections(document, path.absolute().parent))
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error.what}", hint=error.hint) from None


async def current_business() -> Business:
    """The business that is configured: the file if one is named, else the saved blocks.

    Blocks of origin ``sample`` count only while there are no others.

    Raises:
        NoBusinessConfigured: Neither a file nor a block.
        ConfigurationError: What is configured cannot be used.
        SourceUnavailable: The Prefect API does not answer.
    """
    file = get_settings().business_file
    if file:
        return Business.from_toml(file)
    blocks = [_from_document(document) for document in await _documents()]
    own = [block for block in blocks if block.origin != SAMPLE]
    if not blocks:
        raise NoBusinessConfigured(
            "No business is configured.",
            hint="Start with a sample business: ./orchestrator up, or connect your own: "
            "./orchestrator connect URL.",
        )
    return Business.of(own or blocks)


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
        SourceUnavailable: The Prefect API does not answer.
    """
    saved = []
    try:
        async with get_client() as client:
            for block in business.blocks():
                copy = block.model_copy(update={"origin": origin})
                await copy.asave(block.name, overwrite=True, client=client)
                saved.append(f"{block.get_block_type_slug()}/{block.name}")
            for document in await _read_documents(client):
                slug = document.block_type.slug if document.block_type else ""
                replaced = document.data.get("origin") in (origin, SAMPLE)
                if replaced and f"{slug}/{document.name}" not in saved:
                    await client.delete_block_document(document.id)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        raise _unreachable(error) from None
    return saved


async def _documents() -> list[BlockDocument]:
    try:
        async with get_client() as client:
            return await _read_documents(client)
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        raise _unreachable(error) from None


async def _read_documents(client: PrefectClient) -> list[BlockDocument]:
    found: list[BlockDocument] = []
    for kind in _KINDS:
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
    kind = next(k for k in _KINDS if k.get_block_type_slug() == slug)
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        raise ConfigurationError(
            f"The block {slug}/{document.name} cannot be used: {_faults(error, '')}.",
            hint="Edit it in the Prefect UI under Blocks.",
        ) from None


def _unreachable(error: Exception) -> SourceUnavailable:
    return SourceUnavailable(
        f"The Prefect API does not answer as it should ({type(error).__name__}).",
        hint="Start the stack with ./orchestrator up, or check PREFECT_API_URL.",
    )


def _read_sections(document: dict[str, Any], folder: Path) -> list[BusinessBlock]:
    _refuse_unknown(document, ["store", "suppliers", "services"], "")
    document = _resolve(document, "")
    blocks: list[BusinessBlock] = []
    if "store" in document:
        store = _build(StoreDatabase, document["store"], "store")
        url = parse_url(store.url.get_secret_value(), folder)
        store.url = SecretStr(url.render_as_string(hide_password=False))
        blocks.append(store)
    blocks += _build_list(SupplierConnection, document, "suppliers")
    blocks += _build_list(MonitoredService, document, "services")
    if not blocks:
        raise ConfigurationError(
            "It describes no business.", hint="Write [store], [[suppliers]] or [[services]]."
        )
    return blocks


def _build_list(kind: type[B], document: dict[str, Any], section: str) -> list[B]:
    entries = document.get(section, [])
    if not isinstance(entries, list):
        raise ConfigurationError(f"{section} must be a list.", hint=f"Write [[{section}]].")
    blocks = [_build(kind, entry, f"{section}[{i}]") for i, entry in enumerate(entries)]
    names = [block.name for block in blocks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{section}: the name {name!r} appears twice.")
    return blocks


def _build(kind: type[B], entry: Any, path: str) -> B:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{path} must be a table.", hint=f"Write [{path}].")
    _refuse_unknown_in(kind, entry, path)
    try:
        return kind.model_validate({"origin": "file", **entry})
    except ValidationError as error:
        raise ConfigurationError(f"{_faults(error, path)}.") from None


def _faults(error: ValidationError, path: str) -> str:
    """Each fault with its key path, never with its value, which may be a secret."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        key = path
        for step in fault["loc"]:
            key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
        faults.append(f"{key}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(faults)


def _refuse_unknown_in(kind: type[BaseModel], entry: dict[str, Any], path: str) -> None:
    """Unknown keys of a block and of the models inside it: a Prefect block would take them."""
    _refuse_unknown(entry, list(kind.model_fields), path)
    if kind is StoreDatabase and isinstance(entry.get("frames"), dict):
        for name, frame in entry["frames"].items():
            if isinstance(frame, dict):
                _refuse_unknown_in(FrameMapping, frame, f"{path}.frames.{name}")
    if kind is FrameMapping and isinstance(entry.get("joins"), list):
        for position, join in enumerate(entry["joins"]):
            if isinstance(join, dict):
                _refuse_unknown_in(Join, join, f"{path}.joins[{position}]")


def _refuse_unknown(table: dict[str, Any], known: list[str], path: str) -> None:
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, n=1, cutoff=0.5)
            raise ConfigurationError(
                f"{path}{'.' if path else ''}{key}: there is no such key.",
                hint=f"Did you mean {close[0]!r}?" if close else f"There is {', '.join(known)}.",
            )


def _resolve(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return {k: _resolve(v, f"{path}.{k}" if path else k) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolve(item, f"{path}[{i}]") for i, item in enumerate(value)]
    return (
        _REFERENCE.sub(lambda m: _variable(m[1], path), value) if isinstance(value, str) else value
    )


def _variable(name: str, path: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ConfigurationError(
            f"{path}: the environment variable {name} is not set.",
            hint=f"Set it, for instance: export {name}=…",
        ) from None


def _of_type(blocks: list[BusinessBlock], kind: type[B]) -> list[B]:
    return sorted((b for b in blocks if isinstance(b, kind)), key=lambda b: b.name)
