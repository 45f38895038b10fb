"""Routes for what comes thousands of times a second: FastAPI documents them and then stays away.

Resolving dependencies and validating through FastAPI costs more than everything else that such a
request needs. A lean endpoint takes the request and does both itself; what OpenAPI has to know
stands in the route's declaration.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from blocks.business.webhooks.schemes import HEADERS
from deployments.api.http.problems import Refused


class LeanRoute(APIRoute):
    """A route whose endpoint is ``async def endpoint(request: Request) -> Response``."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The endpoint itself."""
        endpoint: Callable[[Request], Awaitable[Response]] = self.endpoint
        return endpoint


def content_type(headers: Mapping[str, str]) -> str:
    """The media type of a body, without its parameters; "" when none is declared."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def wrong_type(kind: str, right: str) -> Refused:
    """The refusal of a body of another type."""
    return Refused(
        415,
        "unsupported-media-type",
        f"The body is {kind or 'of no declared type'}.",
        hint=f"Send {right}, and say so in the header Content-Type.",
    )


def plain_headers(request: Request) -> dict[str, str]:
    """The headers by lower-case name.

    Raises:
        Refused: 400 when one of them is there twice, which two readers may take for two things.
    """
    found: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")
        if name in found and name.startswith(("ce-", "content-", *HEADERS)):
            raise Refused(400, "repeated-header", f"The header {name} is there twice.")
        found[name] = value.decode("latin-1")
    return found


def answer(body: Mapping[str, Any], status: int) -> Response:
    """A small JSON answer."""
    return Response(json.dumps(body).encode(), status, media_type="application/json")
