"""Faults on demand: how a drill breaks a sample process without touching anything else.

``POST /_drill`` with the process's own drill token puts a fault in memory, ``DELETE`` takes it out,
``GET`` tells it. A restart clears it, which is what makes restarting a real remediation.

    {"fault": "slow", "seconds": 60, "latency_ms": 2500}

``slow`` adds latency, ``errors`` answers 500, ``garbage`` answers a web page with status 200,
``truncated`` the first half of the real answer, ``silent`` takes the request and never says a word.
Without ``seconds`` it lasts until the restart.

A supplier's order desk has faults of its own (``ORDER_KINDS``): ``accept-and-time-out`` takes the
order and never answers, ``html-200`` takes it and answers a web page, ``confirm-less`` delivers
half of it, ``confirm-twice`` names each line twice, ``raise-the-price`` asks for 15% more.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/_drill"
KINDS = ("slow", "errors", "garbage", "truncated", "silent")
"""What any process can suffer from."""

ORDER_KINDS = (
    *("accept-and-time-out", "html-200", "confirm-less", "confirm-twice", "raise-the-price"),
)
"""What a supplier's order desk can suffer from; everything else of it works."""

DEFAULT_LATENCY_MS = 2500
"""Over the latency budget of the sample's services, under every client's time limit."""

PAGE = """<!doctype html><html><head><title>We will be right back</title></head>
<body><h1>Down for maintenance</h1><p>Please try again in a few minutes.</p></body></html>"""


@dataclass(frozen=True)
class Fault:
    """A fault and the ``time.monotonic()`` at which it ends."""

    kind: str
    until: float
    latency_ms: float


class Trouble:
    """The fault that is set in a process, which ends by itself in time.

    Args:
        kinds: Those that it may have.
    """

    def __init__(self, kinds: tuple[str, ...] = KINDS) -> None:
        self.kinds = kinds
        self._fault: Fault | None = None

    @property
    def fault(self) -> Fault | None:
        """The fault that is set now."""
        if self._fault and time.monotonic() >= self._fault.until:
            self._fault = None
        return self._fault

    @property
    def kind(self) -> str:
        """Which it is; "" for none."""
        return self.fault.kind if self.fault else ""

    def begin(self, fault: Fault | None) -> None:
        """Set a fault, in place of the one that is set; None ends it."""
        self._fault = fault


class Faults:
    """ASGI middleware that breaks the app behind it as long as a fault is set.

    Args:
        app: The app.
        token: The drill token; empty closes the drill endpoint.
        trouble: The fault, where the app has some of its own.
    """

    def __init__(self, app: ASGIApp, token: str, trouble: Trouble | None = None) -> None:
        self._app = app
        self._token = token
        self._trouble = trouble or Trouble()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the drill endpoint, or serve under the fault that is set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PATH and self._token:
            response = await self._drill(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        match self._trouble.fault:
            case Fault("errors"):
                await JSONResponse({"error": "internal error"}, 500)(scope, receive, send)
            case Fault("garbage"):
                await HTMLResponse(PAGE)(scope, receive, send)
            case Fault("truncated"):
                await self._app(scope, receive, _FirstHalf(send))
            case Fault("silent"):
                await never_answer(receive)
            case Fault("slow", latency_ms=latency_ms):
                await asyncio.sleep(latency_ms / 1000)
                await self._app(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _drill(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return JSONResponse({"error": "drill token missing or wrong"}, 401)
        match request.method:
            case "POST":
                try:
                    self._trouble.begin(_read(await request.json(), self._trouble.kinds))
                except ValueError as error:
                    return JSONResponse({"error": f"no such fault: {error}"}, 400)
            case "DELETE":
                self._trouble.begin(None)
            case "GET":
                pass
            case _:
                return JSONResponse({"error": "use GET, POST or DELETE"}, 405)
        fault = self._trouble.fault
        lasting = fault is not None and math.isfinite(fault.until)
        return JSONResponse(
            {
                "fault": fault and fault.kind,
                "seconds_left": round(fault.until - time.monotonic(), 1)
                if fault and lasting
                else None,
            }
        )


async def never_answer(receive: Receive) -> None:
    """Return when the caller has given up, and not before."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _FirstHalf:
    """An ASGI ``send`` that passes on the status and half of the body."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        half = self._body[: len(self._body) // 2]
        headers = [(k, v) for k, v in self._start["headers"] if k != b"content-length"]
        headers.append((b"content-length", str(len(half)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": half})


def _read(document: Any, kinds: tuple[str, ...]) -> Fault:
    """The fault that a request describes.

    Raises:
        ValueError: It describes none; the text names what is wrong with it.
    """
    if not isinstance(document, dict) or document.get("fault") not in kinds:
        raise ValueError(f"fault must be one of {', '.join(kinds)}")
    seconds = document.get("seconds")
    latency_ms = document.get("latency_ms", DEFAULT_LATENCY_MS)
    for name, value, limit in (("seconds", seconds, 86400), ("latency_ms", latency_ms, 600_000)):
        if value is None and name == "seconds":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= limit:
            raise ValueError(f"{name} must be a number above 0 and at most {limit}")
    until = math.inf if seconds is None else time.monotonic() + seconds
    return Fault(document["fault"], until, latency_ms)
