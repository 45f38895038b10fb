"""HTTP connections whose requests come promptly: uvicorn itself waits for a head for ever.

A client that opens hundreds of connections and sends a byte now and then would hold them all, and
httptools, which parses what it sends, takes heads of any size.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PromptRequests(HttpToolsProtocol):
    """Closes a connection on which a request's head does not arrive in time, or is too large.

    The time begins when the connection is made, and with the first byte of each later request.

    Attributes:
        longest: Seconds that a head may take.
        largest: Bytes that it may have.
    """

    longest: ClassVar[float] = 10.0
    largest: ClassVar[int] = 64 * 1024

    _deadline: asyncio.TimerHandle | None = None
    _in_head = False
    _taken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def on_message_begin(self) -> None:
        """A request's first byte came."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Its head is there; its body is bounded by others."""
        self._in_head = False
        self._stop_expecting()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Go on, unless these bytes make the head too large."""
        if self._deadline is not None:
            self._taken += len(data)
        super().data_received(data)
        if not self._in_head:
            return
        if self._deadline is None:  # most heads come whole, and need no clock
            self._expect()
        if self._taken > self.largest:
            self._refuse(b"431 Request Header Fields Too Large")

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._stop_expecting()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._taken = 0
        self._deadline = self.loop.call_later(self.longest, self._refuse, b"408 Request Timeout")

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._stop_expecting()
        if not self.transport.is_closing():
            head = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            self.transport.write(head % status)
            self.transport.close()
