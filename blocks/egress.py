"""Where calls may go: the public internet, and the internal hosts and files that are named.

Everything that a user or a partner can make us call passes here, over HTTP and SQL alike. A host is
resolved once, every address that it has is looked at, and the connection goes to an address that
was looked at: a name that means something else a moment later gains nothing. Our own ledger and
the Prefect API are settings of whoever runs us, and no concern of this module.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import httpx
from pydantic import AfterValidator, Field

from blocks.errors import ConfigurationError
from blocks.settings import get_settings, known_host

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNICAST = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that is handed out for the internet (RFC 4291, section 2.4)."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    # Not for the internet either (IANA special-purpose registries), though is_global of this Python
    # may say otherwise.
    for network in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
)
_RESOLVING = ThreadPoolExecutor(32, thread_name_prefix="resolve")
"""The system's resolver blocks, for many seconds where a name server is silent: who waits for it
keeps nobody else in this process waiting."""

_LOCAL_SUFFIXES = (".internal", ".intranet", ".lan", ".local", ".localhost", ".home.arpa")


@dataclass(frozen=True)
class Reach:
    """What a call may reach beside the public internet and the configured hosts and folders.

    Attributes:
        hosts: Internal hosts: names, addresses, networks such as 10.1.0.0/16, folders of sockets.
        any_host: Every host, since a person named it just now.
        any_file: Every file, since whoever runs us named it.
    """

    hosts: tuple[str, ...] = ()
    any_host: bool = False
    any_file: bool = False


PERSON = Reach(any_host=True, any_file=True)
"""For a person at the command line, who may read and call from there whatever they like anyway."""


def is_public(address: Address) -> bool:
    """Whether an address is on the internet, with the IPv4 addresses inside it looked at."""
    if isinstance(address, ipaddress.IPv6Address):
        if inner := _embedded(address):
            return all(is_public(each) for each in inner)
        if address not in _UNICAST:
            return False
    in_special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not in_special


def is_local_name(host: str) -> bool:
    """Whether a host can only be internal: an address, or a name that the public DNS has not.

    What an internet name means is up to its owner, today and tomorrow; these it is not.
    """
    name = host.rstrip(".").lower()
    return "." not in name or name.endswith(_LOCAL_SUFFIXES) or _address(name) is not None


def host_in(url: str | None) -> str:
    """The host of an http or https URL, as ``resolve`` takes it; "" where there is none."""
    try:
        return httpx.URL(url or "").raw_host.decode("ascii")
    except httpx.InvalidURL:
        return ""


def resolve(host: str, port: int, reach: Reach, who: str) -> list[str]:
    """The addresses at which a host may be called, in the order in which to try them.

    Args:
        host: Name or address, as the URL has it.
        port: Port, which tells nothing about whether the host may be called.
        reach: Which internal hosts may be.
        who: Who is called, for error messages: ``supplier 'acme'``.

    Raises:
        ConfigurationError: One of its addresses is internal, and it is not named.
        OSError: There is no such host.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label of more than 63 characters, or an empty one
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        _require_allowed(host, ipaddress.ip_address(address), reach, who)
    return addresses


async def resolve_soon(host: str, port: int, reach: Reach, who: str) -> list[str]:
    """As ``resolve``, while the event loop goes on.

    Raises:
        ConfigurationError, OSError: As ``resolve``.
    """
    if _address(host) is not None:  # nobody is asked what it means
        return resolve(host, port, reach, who)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_RESOLVING, resolve, host, port, reach, who)


def connect(addresses: list[str], port: int, seconds: float) -> socket.socket:
    """A TCP connection to the first of some looked-at addresses that accepts one.

    Raises:
        OSError: None does, within ``seconds`` altogether.
    """
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), seconds / len(addresses))
        except OSError:  # the last one's error is told
            continue
    return socket.create_connection((addresses[-1], port), seconds / len(addresses))


def connect_socket(path: str, seconds: float) -> socket.socket:
    """A connection to a Unix socket.

    Raises:
        OSError: Nobody accepts one there.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(seconds)
    try:
        line.connect(path)
    except OSError:
        line.close()
        raise
    return line


def require_socket(path: str, reach: Reach, who: str) -> None:
    """Allow a Unix socket, which is as internal as a host can be, only by its name.

    Raises:
        ConfigurationError: It is not named.
    """
    if not (reach.any_host or path in _named(reach)):
        raise _refused(path, "a socket of this machine", who)


def readable_file(path: str | Path, reach: Reach) -> Path:
    """The file, links resolved, if it may be read; nothing is opened.

    What runs unattended reads the configured folders, and nothing else: the answer for a file
    elsewhere is the same whether it is there or not.

    Raises:
        ConfigurationError: It lies elsewhere, or where we keep our own.
    """
    try:
        file = Path(os.path.realpath(path))
    except ValueError:  # it has a NUL, which no name of a file has
        file = Path("/")
    if reach.any_file:
        return file
    settings = get_settings()
    own = settings.state_dir.resolve()
    sample = own / "sample"
    ours = file.is_relative_to(own) and not file.is_relative_to(sample)
    folders = [folder.resolve() for folder in settings.readable_folders]
    if ours or not any(file.is_relative_to(folder) for folder in (*folders, sample)):
        raise ConfigurationError(
            f"The file {path} may not be read: it lies in none of the configured folders.",
            hint="Name its folder in ORCHESTRATOR_DATA_FOLDERS, or the file in your business file.",
        )
    return file


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Sends each request to an address of its host that was looked at; see ``resolve``.

    The Host header and the name in TLS, against which the certificate is checked, stay as asked.

    Args:
        who: Who is called, for error messages.
        reach: Which internal hosts may be called.
        tls: What certificates are checked with.
    """

    def __init__(self, who: str, reach: Reach, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._who = who
        self._reach = reach

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ConfigurationError: Its host may not be called.
            httpx.TransportError: As any transport.
        """
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = await resolve_soon(host, port, self._reach, self._who)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        for address in addresses[:-1]:
            try:
                return await super().handle_async_request(
                    _addressed(request, host, address, len(addresses))
                )
            except (httpx.ConnectError, httpx.ConnectTimeout):  # the last one's error is told
                continue
        return await super().handle_async_request(
            _addressed(request, host, addresses[-1], len(addresses))
        )


def _addressed(request: httpx.Request, host: str, address: str, of: int) -> httpx.Request:
    """The same request, to be sent to one of several addresses of its host."""
    timeouts = request.extensions.get("timeout", {})
    if timeouts.get("connect"):
        timeouts = {**timeouts, "connect": timeouts["connect"] / of}
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "timeout": timeouts, "sni_hostname": host},
    )


InternalHosts: TypeAlias = Annotated[
    list[Annotated[str, AfterValidator(known_host)]],
    Field(
        description="Internal hosts that it may reach: names, addresses, networks such as "
        "10.1.0.0/16. Whatever is on the internet may be reached anyway.",
    ),
]
"""Type of a connection's ``internal_hosts``."""


def _require_allowed(host: str, address: Address, reach: Reach, who: str) -> None:
    if reach.any_host or is_public(address):
        return
    inner = _embedded(address) if isinstance(address, ipaddress.IPv6Address) else ()
    # At link-local addresses clouds hand out their keys: a name is not enough for these.
    by_name = not any(each.is_link_local for each in (address, *inner))
    for entry in _named(reach):
        network = _network(entry)
        if network and any(each in network for each in (address, *inner)):
            return
        if by_name and entry.rstrip(".").lower() == host.rstrip(".").lower():
            return
    raise _refused(host, f"the internal address {address}", who)


def _named(reach: Reach) -> list[str]:
    return [*reach.hosts, *get_settings().internal_host_names]


def _refused(host: str, what: str, who: str) -> ConfigurationError:
    is_what = "" if host in what else f", which is {what}"
    return ConfigurationError(
        f"{who} may not be called at {host}{is_what}: internal hosts must be named.",
        hint=f"If it is yours, add {host!r} to internal_hosts of the connection, or to "
        "ORCHESTRATOR_INTERNAL_HOSTS.",
    )


def _embedded(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _address(text: str) -> Address | None:
    """The address that the resolver takes a text for, which has more forms than the standard's."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))  # 127.1, 0x7f000001, 2130706433
    except OSError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
