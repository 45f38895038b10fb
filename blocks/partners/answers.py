"""What a partner answered, and whether that is what was asked for."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from blocks.errors import SourceGarbled, SourceRefused, SourceUnavailable

MAX_JSON = 512 * 1024
"""Largest JSON that is parsed among everything else that the process does, in bytes."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; they are right where the header is wrong (WHATWG Encoding Standard, decode)."""

_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252"}
"""Who says Latin-1 sends Windows-1252, with its euro sign (WHATWG Encoding Standard, labels)."""

_NOT_OF_DOCUMENTS = {
    *("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "charmap"),
    *("base64", "bz2", "hex", "quopri", "rot-13", "uu", "zlib"),
}
"""Codecs that Python knows and no document is written in; some take quadratic time."""


@dataclass(frozen=True)
class Answer:
    """What a server answered, whatever its status.

    Attributes:
        status: HTTP status code.
        content_type: Media type without parameters, lower case; "" when absent.
        body: The whole answer, unpacked, at most MAX_BYTES; or its excerpt.
        latency_ms: From the call to the last byte.
        clock_skew_s: The server's clock minus ours, from its Date header, good to about half a
            second; None when it sent none.
        location: Where a redirect points to, as scheme, host and path; "" when it is none. Not
            for errors about partners: a path may be secret.
        headers: All headers, their names in lower case; of one that came twice, both values with
            a comma between.
        charset: What the content type says that the body is written in, lower case; "" when it
            says nothing.
        source: Who answered, for error messages.
        url: What was asked for, with its query. Not for errors: it may hold secrets.
    """

    status: int
    content_type: str
    body: bytes
    latency_ms: float
    clock_skew_s: float | None
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    charset: str = ""
    source: str = "the server"
    url: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def text(self) -> str:
        """The body as text: by its byte order mark, else by its charset, else as UTF-8.

        Raises:
            SourceGarbled: Its charset is none that we know, or its bytes are not of that charset:
                a guessed character may be a digit of a price.
        """
        mark = next((mark for mark in _MARKS if self.body.startswith(mark)), b"")
        name = _MARKS.get(mark) or self._declared()
        try:
            return self.body[len(mark) if name == "utf-8" else 0 :].decode(name)
        except UnicodeDecodeError as error:
            value = self.body[error.start : error.start + 4]
            raise SourceGarbled(
                f"{self.source} answered bytes that are no {name.upper()}: {value!r} at byte "
                f"{error.start}.",
                hint="The answer must be in the charset that its content type names, or in UTF-8.",
            ) from None

    def json(self) -> Any:
        """The body as JSON, if it is small enough to be read at once.

        Raises:
            ValueError: It is not JSON, or has more than MAX_JSON bytes; see blocks.formats.parsing.
            RecursionError: It is nested without end.
        """
        if len(self.body) > MAX_JSON:
            raise ValueError(f"more than {MAX_JSON} bytes of JSON")
        return json.loads(self.body)

    def beginning(self) -> str:
        """The first 60 characters on one line, for error messages."""
        return " ".join(self.body[:200].decode("utf-8", errors="replace").split())[:60]

    def _declared(self) -> str:
        try:
            name = codecs.lookup(self.charset or "utf-8").name
        except (LookupError, ValueError):  # of a NUL in the name: ValueError
            name = ""
        if not name or name in _NOT_OF_DOCUMENTS:
            raise SourceGarbled(
                f"{self.source} answered in the charset {self.charset[:40]!r}, which is none that "
                "we know.",
                hint="Ask for UTF-8.",
            )
        return _MEANT.get(name, name)


def require_success(answer: Answer, source: str) -> Answer:
    """The answer, if its status is 2xx.

    Raises:
        SourceRefused: 401, 403 or another 4xx.
        SourceUnavailable: 408, 429 or 5xx: worth another try.
        SourceGarbled: Any other status, for instance a redirect.
    """
    status = answer.status
    if answer.ok:
        return answer
    if status in (401, 403):
        raise SourceRefused(
            f"{source} refused our credentials (HTTP {status}).",
            hint="Check the connection's auth and credential.",
        )
    if status in (408, 429) or status >= 500:
        raise SourceUnavailable(f"{source} answered HTTP {status}.", hint="It may recover.")
    if 400 <= status < 500:
        raise SourceRefused(
            f"{source} refused the request (HTTP {status}).",
            hint="Check the connection's address and path.",
        )
    raise SourceGarbled(
        f"{source} answered HTTP {status} instead of data.",
        hint="Redirects are not followed: configure the final address.",
    )
