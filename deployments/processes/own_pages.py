"""Keeps the pages of other sites from using a server of ours through the user's browser."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

_REFUSAL = (
    b'{"type": "about:blank", "title": "Forbidden", "status": 403, '
    b'"detail": "Requests from pages of other sites, or to other host names, are refused.", '
    b'"code": "foreign-page", "hint": "Ask 127.0.0.1 or localhost. For a proxy, name its host in '
    b'ORCHESTRATOR_API_NAMES."}'
)


class OwnPagesOnly:
    """Refuses what a page of another site makes the user's browser send.

    On loopback no password is needed, and whoever may write may have code run. A browser names the
    page's site in ``Origin``; it has to be the one that was asked. On loopback the name that was
    asked has to be this machine's, or a foreign name that resolves to 127.0.0.1 would count as same
    site (DNS rebinding). Programs, which send no ``Origin``, are not concerned.

    Args:
        app: What to protect.
        host: Address that the server listens on.
        port: Its port.
        names: Further names, with their port where it is not the scheme's own, under which a
            proxy passes requests on.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, names: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = None
        if is_loopback(host):
            ours = {host, "127.0.0.1", "localhost", "[::1]"}
            self._hosts = {f"{name}:{port}" for name in ours} | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 (or close the websocket) or pass the request through."""
        if scope["type"] == "lifespan" or self._is_ours(dict(scope["headers"])):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/problem+json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})

    def _is_ours(self, headers: Mapping[bytes, bytes]) -> bool:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._hosts is not None and host not in self._hosts:
            return False
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        return not origin or origin.partition("://")[2] == host


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
