"""A business described in a TOML file, with every fault named by its key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, SecretStr, ValidationError

from blocks.business.endpoints.endpoint import WebhookEndpoint
from blocks.business.ordering.desks import DESKS, MailDesk
from blocks.business.probes import CHECKS, Probe
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.business.webhooks.senders import WebhookSource
from blocks.egress import host_in, is_local_name
from blocks.errors import ConfigurationError
from blocks.prefect_api.mail import MailServer
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping, Join
from blocks.store.url import host_of, parse_url
from blocks.text import did_you_mean

BusinessBlock: TypeAlias = (
    StoreDatabase | SupplierConnection | MonitoredService | Probe | WebhookSource | WebhookEndpoint
)

_LISTS: dict[str, type[BusinessBlock]] = {
    "suppliers": SupplierConnection,
    "services": MonitoredService,
    "probes": Probe,
    "webhooks": WebhookSource,
    "endpoints": WebhookEndpoint,
}

_REFERENCE = re.compile(r"\$\{(\w+)\}")


def read_business_file(
    path: Path, left_out: list[ConfigurationError] | None = None
) -> list[BusinessBlock]:
    """The blocks that a file describes; see Business.from_toml.

    Args:
        path: The file.
        left_out: Takes what is wrong with single parts, which are then left out; when None, the
            first fault is raised.

    Raises:
        ConfigurationError: Names the file and the key at fault; never shows a value. Nothing in
            the file can be used.
    """
    bad: list[ConfigurationError] = []
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
        blocks = _read_sections(document, path.absolute().parent, bad)
        if bad and (left_out is None or not blocks):
            raise bad[0]
    except ConfigurationError as error:
        raise _of_file(path, error) from None
    if left_out is not None:
        left_out += [_of_file(path, error) for error in bad]
    return blocks


def _of_file(path: Path, error: ConfigurationError) -> ConfigurationError:
    return ConfigurationError(f"{path}: {error.what}", hint=error.hint)


def faults(error: ValidationError, path: str = "") -> str:
    """Each fault with its key path, never with its value, which may be a secret."""
    told = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        key = path
        for step in fault["loc"]:
            key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
        told.append(f"{key}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(told)


def _read_sections(
    document: dict[str, Any], folder: Path, bad: list[ConfigurationError]
) -> list[BusinessBlock]:
    """What can be used; what is wrong with the rest goes to ``bad``, part by part."""
    blocks: list[BusinessBlock] = []
    for key, value in document.items():
        with _collecting(bad):
            _refuse_unknown({key: value}, ["store", *_LISTS], "")
            if key == "store":
                blocks.append(_build_store(value, folder))
            else:
                blocks += _build_list(_LISTS[key], value, key, bad)
    if not blocks and not bad:
        raise ConfigurationError(
            "It describes no business.",
            hint="Write [store], [[suppliers]], [[services]], [[probes]], [[webhooks]] or "
            "[[endpoints]].",
        )
    for block in blocks:
        _allow_what_is_named(block)
    return blocks


@contextmanager
def _collecting(bad: list[ConfigurationError]) -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        bad.append(error)


def _build_store(entry: Any, folder: Path) -> StoreDatabase:
    store = _build(StoreDatabase, entry, "store")
    assert isinstance(store, StoreDatabase), "what was asked for"
    url = parse_url(store.url.get_secret_value(), folder)
    store.url = SecretStr(url.render_as_string(hide_password=False))
    store.take_from_file()
    return store


def _allow_what_is_named(block: BusinessBlock) -> None:
    """The file is the word of whoever runs us: what is one's own is allowed by its name there.

    A supplier or a partner is somebody else. What its name on the internet means is up to it; so
    only an address or a name that can be nothing but internal counts as named.
    """
    match block:
        case StoreDatabase():
            hosts = [host_of(parse_url(block.url.get_secret_value()))]
        case MonitoredService():
            hosts = [
                host_in(url) for url in (block.health_url, block.metrics_url, block.history_url)
            ]
        case Probe():
            hosts = block.check.hosts
        case SupplierConnection():
            host = host_in(block.base_url)
            hosts = [host] if is_local_name(host) else []
            if isinstance(block.ordering, MailDesk):
                block.ordering.server.internal_hosts.append(block.ordering.server.host)
        case WebhookEndpoint():
            host = host_in(block.url.get_secret_value())
            hosts = [host] if is_local_name(host) else []
        case _:
            return
    block.internal_hosts += [host for host in dict.fromkeys(hosts) if host]


def _build_list(
    kind: type[BusinessBlock], entries: Any, section: str, bad: list[ConfigurationError]
) -> list[BusinessBlock]:
    if not isinstance(entries, list):
        raise ConfigurationError(f"{section} must be a list.", hint=f"Write [[{section}]].")
    blocks: dict[str, BusinessBlock] = {}
    for i, entry in enumerate(entries):
        with _collecting(bad):
            block = _build(kind, entry, f"{section}[{i}]")
            if block.name in blocks:  # the first stays: which of them is meant, nobody can tell
                raise ConfigurationError(f"{section}: the name {block.name!r} appears twice.")
            blocks[block.name] = block
    return list(blocks.values())


def _build(kind: type[BusinessBlock], entry: Any, path: str) -> BusinessBlock:
    entry = _resolve(entry, path)
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{path} must be a table.", hint=f"Write [{path}].")
    _refuse_unknown_in(kind, entry, path)
    try:
        return kind.model_validate({"origin": "file", **entry})
    except ValidationError as error:
        raise ConfigurationError(f"{_as_written(faults(error, path), entry, path)}.") from None


def _as_written(fault: str, entry: dict[str, Any], path: str) -> str:
    """The fault with its key as it stands in the file.

    A frame may be a table or a list, and how a supplier takes orders is no key of its own.
    """
    for via in DESKS:
        fault = fault.replace(f"{path}.ordering.{via}", f"{path}.ordering")
    for kind in CHECKS:
        fault = fault.replace(f"{path}.check.{kind}", f"{path}.check")
    frames = entry.get("frames")
    for name, frame in (frames if isinstance(frames, dict) else {}).items():
        if not isinstance(frame, list):
            fault = fault.replace(f"{path}.frames.{name}[0]", f"{path}.frames.{name}")
    return fault


def _refuse_unknown_in(kind: type[BaseModel], entry: dict[str, Any], path: str) -> None:
    """Unknown keys of a block and of the models inside it: a Prefect block would take them."""
    _refuse_unknown(entry, list(kind.model_fields), path)
    if kind is StoreDatabase and isinstance(entry.get("frames"), dict):
        for name, frame in entry["frames"].items():
            there = f"{path}.frames.{name}"
            for i, each in enumerate(frame if isinstance(frame, list) else [frame]):
                if isinstance(each, dict):
                    at = f"{there}[{i}]" if isinstance(frame, list) else there
                    _refuse_unknown_in(FrameMapping, each, at)
    if kind is SupplierConnection and isinstance(entry.get("ordering"), dict):
        _refuse_unknown_desk(entry["ordering"], f"{path}.ordering")
    if kind is Probe and isinstance(entry.get("check"), dict):
        _refuse_unknown_check(entry["check"], f"{path}.check")
    if kind is FrameMapping and isinstance(entry.get("joins"), list):
        for position, join in enumerate(entry["joins"]):
            if isinstance(join, dict):
                _refuse_unknown_in(Join, join, f"{path}.joins[{position}]")


def _refuse_unknown_desk(entry: dict[str, Any], path: str) -> None:
    via = entry.get("via")
    if not isinstance(via, str) or via not in DESKS:
        raise ConfigurationError(
            f"{path}.via does not say how the supplier takes orders.",
            hint=f"Write via = {' or '.join(map(repr, DESKS))}.",
        )
    _refuse_unknown_in(DESKS[via], entry, path)
    if isinstance(entry.get("server"), dict):
        _refuse_unknown_in(MailServer, entry["server"], f"{path}.server")


def _refuse_unknown_check(entry: dict[str, Any], path: str) -> None:
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in CHECKS:
        raise ConfigurationError(
            f"{path}.kind does not say what is asked.",
            hint=f"Write kind = {' or '.join(map(repr, CHECKS))}.",
        )
    _refuse_unknown_in(CHECKS[kind], entry, path)


def _refuse_unknown(table: dict[str, Any], known: list[str], path: str) -> None:
    for key in table:
        if key not in known:
            what = f"{path}{'.' if path else ''}{key}: there is no such key."
            raise ConfigurationError(what, hint=did_you_mean(key, known))


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
