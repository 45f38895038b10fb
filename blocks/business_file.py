"""A business described in a TOML file, with every fault named by its key."""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from blocks.egress import host_in, is_local_name
from blocks.errors import ConfigurationError
from blocks.partners import SupplierConnection
from blocks.services import MonitoredService
from blocks.sql_url import host_of, parse_url
from blocks.stores import FrameMapping, Join, StoreDatabase
from blocks.webhook_sources import WebhookSource

BusinessBlock: TypeAlias = StoreDatabase | SupplierConnection | MonitoredService | WebhookSource
B = TypeVar("B", StoreDatabase, SupplierConnection, MonitoredService, WebhookSource)

_REFERENCE = re.compile(r"\$\{(\w+)\}")


def read_business_file(path: Path) -> list[BusinessBlock]:
    """The blocks that a file describes; see Business.from_toml.

    Raises:
        ConfigurationError: Names the file and the key at fault; never shows a value.
    """
    document = _read_document(path)
    try:
        return _read_sections(document, path.absolute().parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.what}", hint=error.hint) from None


def read_webhooks(path: Path) -> tuple[list[WebhookSource], list[str]]:
    """The senders of webhooks that a file names, each by itself, and what is wrong with others.

    One that cannot be used takes no other along, nor does a fault elsewhere in the file.

    Raises:
        ConfigurationError: It is no such file.
    """
    entries = _read_document(path).get("webhooks", [])
    found: dict[str, WebhookSource] = {}
    wrong: list[str] = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        where = f"webhooks[{number}]"
        try:
            source = _build(WebhookSource, _resolve(entry, where), where)
        except ConfigurationError as error:
            wrong.append(f"{path}: {error.what}")
            continue
        if found.setdefault(source.name, source) is not source:
            wrong.append(f"{path}: {where}: the name {source.name!r} appears twice.")
    return list(found.values()), wrong


def _read_document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"The business file {path} cannot be read: {error.strerror}.",
            hint="Check ORCHESTRATOR_BUSINESS_FILE, or write one with ./orchestrator connect.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.") from None


def faults(error: ValidationError, path: str = "") -> str:
    """Each fault with its key path, never with its value, which may be a secret."""
    told = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        key = path
        for step in fault["loc"]:
            key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
        told.append(f"{key}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(told)


def _read_sections(document: dict[str, Any], folder: Path) -> list[BusinessBlock]:
    _refuse_unknown(document, ["store", "suppliers", "services", "webhooks"], "")
    document = _resolve(document, "")
    blocks: list[BusinessBlock] = []
    if "store" in document:
        store = _build(StoreDatabase, document["store"], "store")
        url = parse_url(store.url.get_secret_value(), folder)
        store.url = SecretStr(url.render_as_string(hide_password=False))
        store.take_from_file()
        blocks.append(store)
    blocks += _build_list(SupplierConnection, document, "suppliers")
    blocks += _build_list(MonitoredService, document, "services")
    blocks += _build_list(WebhookSource, document, "webhooks")
    for block in blocks:
        _allow_what_is_named(block)
    if not blocks:
        raise ConfigurationError(
            "It describes no business.",
            hint="Write [store], [[suppliers]], [[services]] or [[webhooks]].",
        )
    return blocks


def _allow_what_is_named(block: BusinessBlock) -> None:
    """The file is the word of whoever runs us: what is one's own is allowed by its name there.

    A supplier is somebody else. What its name on the internet means is up to it; so only an address
    or a name that can be nothing but internal counts as named.
    """
    match block:
        case StoreDatabase():
            hosts = [host_of(parse_url(block.url.get_secret_value()))]
        case MonitoredService():
            hosts = [
                host_in(url) for url in (block.health_url, block.metrics_url, block.history_url)
            ]
        case SupplierConnection():
            host = host_in(block.base_url)
            hosts = [host] if is_local_name(host) else []
        case _:
            return
    block.internal_hosts += [host for host in dict.fromkeys(hosts) if host]


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
        raise ConfigurationError(f"{faults(error, path)}.") from None


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
