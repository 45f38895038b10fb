"""One request over HTTP: bounded in time and size, and silent about secrets."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from types import MappingProxyType
from typing import Literal, NoReturn

import httpx

from blocks.egress import GuardedTransport, Reach
from blocks.errors import (
    ConfigurationError,
    SourceError,
    SourceGarbled,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.partners.answers import Answer

MAX_BYTES = 5 * 1024 * 1024
"""Largest answer that is read, in bytes, packed and unpacked."""

_PACKINGS = {"identity": False, "": False, "gzip": True, "x-gzip": True, "deflate": True}
"""Content encodings that are read, and whether there is something to unpack."""

_ANY_HEADER = zlib.MAX_WBITS | 32  # zlib tells gzip and deflate apart by itself


async def fetch(
    url: str,
    *,
    source: str,
    timeout: float,
    reach: Reach | None = None,
    method: Literal["GET", "HEAD", "POST"] = "GET",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "",
    excerpt: int | None = None,
) -> Answer:
    """Make one request, once, and read the whole answer.

    Redirects are not followed and no proxy or ``.netrc`` is consulted: what is configured is what
    is reached. Compressed answers are not asked for; one that comes gzipped all the same is
    unpacked, and MAX_BYTES bounds what comes out of it. Who calls a partner for its data, rather
    than to see whether it is well, does so through ``blocks.partners.partner``.

    Args:
        url: http or https.
        source: Who is called, for error messages: ``supplier 'acme'``.
        timeout: Seconds for everything: connecting, waiting, reading the last byte.
        reach: Which internal hosts may be called; those of the settings alone if None.
        method: What is done there.
        headers: Further headers; their values never appear in an error.
        params: Query parameters, in place of those of the URL.
        auth: User name and password for basic authentication.
        body: What a POST carries.
        content_type: What that is.
        excerpt: Read so many bytes at most and leave the rest: for who asks whether something
            answers, and to whom a long or oddly packed answer is as good as another.

    Raises:
        ConfigurationError: The URL is not one we call, its host is internal and not named (see
            blocks.egress), or a header value cannot be sent.
        SourceTimeout: No complete answer in time.
        SourceUnavailable: No connection, or it broke.
        SourceGarbled: The answer is too large, packed in a way we do not know, or not HTTP.
            Each of these three says whether anything was sent (``nothing_sent``).
    """
    place = place_of(url, source)
    own = {"Accept-Encoding": "identity"} | ({"Content-Type": content_type} if content_type else {})
    sent = own | dict(headers or {})
    if not all(_can_be_sent(value) for value in sent.values()):
        raise _unsendable(source, place)
    steps: list[str] = []

    async def note(step: str, _: object) -> None:
        steps.append(step)

    started = time.perf_counter()
    try:
        with _explained(source, place, timeout):
            async with (
                asyncio.timeout(timeout),
                httpx.AsyncClient(
                    transport=GuardedTransport(source, reach or Reach(), _tls()),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=timeout,
                ) as client,
                client.stream(
                    method,
                    url,
                    headers=sent,
                    params=dict(params) if params else None,
                    auth=auth,
                    content=body if method == "POST" else None,
                    extensions={"trace": note},
                ) as response,
            ):
                asked_until = datetime.now(UTC)
                content = await _read(response, source, excerpt)
    except SourceError as error:
        error.nothing_sent = not any("send_request_headers" in step for step in steps)
        raise
    return Answer(
        status=response.status_code,
        content_type=response.headers.get("content-type", "").split(";")[0].strip().lower(),
        body=content,
        latency_ms=(time.perf_counter() - started) * 1000,
        clock_skew_s=_skew(response.headers.get("date"), asked_until),
        location=_location(response),
        headers=MappingProxyType({n.lower(): v for n, v in response.headers.items()}),
        charset=_charset(response.headers.get("content-type", "")),
        source=source,
        url=str(response.url),
    )


@contextmanager
def _explained(source: str, place: str, timeout: float) -> Iterator[None]:
    """Turns what the HTTP library raises into errors of ours."""
    try:
        yield
    except (TimeoutError, httpx.TimeoutException):
        raise SourceTimeout(
            f"{source} gave no complete answer within {timeout:g} s ({place}).",
            hint="Is it overloaded? Raise the connection's timeout if it is always this slow.",
        ) from None
    except httpx.RemoteProtocolError as error:
        if "disconnected" in str(error) or "closed" in str(error):
            raise SourceUnavailable(f"{source} hung up in the middle ({place}).") from None
        raise SourceGarbled(
            f"{source} does not speak HTTP ({place}).", hint="Check the connection's address."
        ) from None
    except httpx.TransportError as error:
        _raise_transport(error, source, place)
    except (ValueError, httpx.InvalidURL):  # the text of these may quote a header's value
        raise _unsendable(source, place) from None


async def _read(response: httpx.Response, source: str, excerpt: int | None) -> bytes:
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in _PACKINGS and excerpt is None:
        raise SourceGarbled(f"{source} sent an answer packed as {packing[:20]!r}, unasked.")
    unpacker = zlib.decompressobj(_ANY_HEADER) if _PACKINGS.get(packing) else None
    limit = MAX_BYTES if excerpt is None else excerpt
    received, body = 0, bytearray()
    try:
        async for chunk in response.aiter_raw():
            received += len(chunk)
            body += unpacker.decompress(chunk, limit + 1 - len(body)) if unpacker else chunk
            if max(received, len(body)) > limit:
                break
    except zlib.error:
        if excerpt is None:
            raise SourceGarbled(
                f"{source} sent a compressed answer that cannot be unpacked."
            ) from None
    if excerpt is not None:
        return bytes(body[:excerpt])
    if max(received, len(body)) > limit:
        raise SourceGarbled(
            f"{source} answered more than {MAX_BYTES // 1024**2} MB.",
            hint="Narrow the request with the connection's path.",
        )
    if unpacker and received and not unpacker.eof:
        raise SourceUnavailable(f"{source} hung up in the middle of a compressed answer.")
    return bytes(body)


def _location(response: httpx.Response) -> str:
    """Where a redirect points to, without what may be secret in it."""
    if response.next_request is None:
        return ""
    url = response.next_request.url
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))[:200]


def _raise_transport(error: httpx.TransportError, source: str, place: str) -> NoReturn:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        raise _unsendable(source, place) from None
    reason = _system_reason(error)
    raise SourceUnavailable(
        f"{source} cannot be reached ({place}{': ' + reason if reason else ''}).",
        hint="Is it running, and is the address right?",
    ) from None


def _can_be_sent(value: str) -> bool:
    # Asked before anything is sent: the HTTP library's debug log would quote the value.
    return value.isascii() and value.isprintable() and value == value.strip()


def _unsendable(source: str, place: str) -> ConfigurationError:
    return ConfigurationError(
        f"The request to {source} cannot be built ({place}).",
        hint="The credential, user name or address holds a character that HTTP cannot carry.",
    )


def _system_reason(error: BaseException | None) -> str:
    """The operating system's own words, found at the end of the chain of causes."""
    reason = ""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            # asyncio puts words of its own in place of the system's for a failed connect.
            system = type(error).__module__ == "builtins" and error.errno
            reason = os.strerror(system) if system else error.strerror
        error = error.__cause__ or error.__context__
    return reason


def place_of(url: str, source: str) -> str:
    """Scheme, host and port: all of an address that may be shown.

    Raises:
        ConfigurationError: It is not one that we call.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 0) > 65535:
        raise ConfigurationError(
            f"The address of {source} is not an http or https URL.",
            hint="Write it as https://host[:port]/path, the port at most 65535.",
        )
    if parsed.userinfo:
        raise ConfigurationError(
            f"The address of {source} holds a user name or password.",
            hint="Use auth = 'basic' with username and credential instead.",
        )
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def _charset(content_type: str) -> str:
    message = Message()
    message["content-type"] = content_type
    return str(message.get_param("charset") or "").strip().lower()


def _skew(date: str | None, now: datetime) -> float | None:
    try:
        theirs = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    # The header drops the fraction of the second: half a second is the best guess for it.
    return (theirs - now).total_seconds() + 0.5


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # 20 ms: not for every call
