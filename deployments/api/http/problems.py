"""Every error of the API as RFC 9457 problem+json: one place, one form."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from blocks.dialects.strict_json import shown
from blocks.errors import (
    ConfigurationError,
    DataError,
    LedgerUnavailable,
    Malformed,
    NoAgentAvailable,
    NotFound,
    OrchestratorError,
    PolicyError,
    RequestError,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    StackError,
)
from blocks.text import printable

log = logging.getLogger("orchestrator.api")

_STATUS: Sequence[tuple[type[OrchestratorError], int]] = (
    # The first that fits counts.
    (NotFound, 404),
    (Malformed, 400),
    (RequestError, 422),
    (NoAgentAvailable, 422),
    (PolicyError, 409),
    (LedgerUnavailable, 503),
    (SourceUnavailable, 503),
    (SourceTimeout, 504),
    (SourceError, 502),
    (DataError, 502),
    (ConfigurationError, 503),
    (StackError, 503),
    (OrchestratorError, 500),
)

RETRY_SOON = {"Retry-After": "1"}


class Fault(BaseModel):
    """One value that does not fit."""

    pointer: str = Field(description="Where it stands, as a JSON pointer.", examples=["#/top"])
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """What is wrong, with which value, and what to do (RFC 9457)."""

    type: str = Field(default="about:blank", description="Always about:blank: see code.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong, with which value.")
    code: str = Field(description="A stable name of the error.", examples=["invalid-message"])
    hint: str = Field(default="", description="What to do about it.")
    errors: list[Fault] = Field(default_factory=list, description="One per value at fault.")


class Refused(Exception):
    """An error of the API itself.

    Args:
        status: The HTTP status.
        code: A stable name.
        what: What is wrong, with which value.
        hint: What to do about it.
        headers: Sent along.
    """

    def __init__(
        self,
        status: int,
        code: str,
        what: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.status, self.code, self.what, self.hint = status, code, what, hint
        self.headers = dict(headers or {})


_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def problem(
    status: int,
    code: str,
    what: str,
    *,
    hint: str = "",
    errors: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as a response."""
    body = Problem(
        title=_TITLES.get(status, "Error"),
        status=status,
        detail=printable(what),
        code=code,
        hint=printable(hint),
        errors=list(errors),
    )
    return JSONResponse(
        body.model_dump(exclude_defaults=True, exclude={"type"}) | {"type": body.type},
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors that a route answers."""
    schema = {"$ref": "#/components/schemas/Problem"}
    of_bodies = {408} if 413 in statuses else set()  # too large, or too slow
    return {
        status: {
            "description": _TITLES[status],
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in sorted({*statuses, *of_bodies, 401, 403, 429, 500, 503})
    }


def install(app: FastAPI) -> None:
    """Have every error leave the application as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(OrchestratorError, _deliberate)
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return problem(error.status, error.code, error.what, hint=error.hint, headers=error.headers)


async def _deliberate(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OrchestratorError)
    return of_error(error)


def of_error(error: OrchestratorError) -> JSONResponse:
    """A deliberate error as a response; its family gives the status."""
    status = next(status for family, status in _STATUS if isinstance(error, family))
    if isinstance(error, NoAgentAvailable) and error.retryable:
        status = 503
    code = error.reason if isinstance(error, PolicyError) else error.code
    headers = RETRY_SOON if status == 503 else {}
    return problem(status, code, error.what, hint=error.hint, headers=headers)


async def _misfit(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        Fault(pointer=_pointer(fault["loc"]), detail=_fault(fault)) for fault in error.errors()
    ]
    first = faults[0]
    if first.pointer == "header/Idempotency-Key":
        return problem(
            400,
            "idempotency-key-missing",
            f"The request has no usable Idempotency-Key: {first.detail}.",
            hint="Send one of 1 to 255 printable characters, for instance a UUID, and the same one "
            "when you send the request again.",
        )
    return problem(
        422,
        "invalid-request",
        f"{first.pointer}: {first.detail}.",
        hint="GET /openapi.json says what each field takes.",
        errors=faults,
    )


def _fault(fault: Mapping[str, Any]) -> str:
    """What is wrong in a line; where a value is missing, what stands around it says nothing."""
    missing = fault["type"] == "missing"
    return fault["msg"] if missing else f"{fault['msg']}: {shown(fault['input'])}"


def _pointer(location: Sequence[Any]) -> str:
    place, *path = location
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return printable("/".join(["#" if place == "body" else str(place), *escaped]))


async def _plain(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _TITLES.get(error.status_code, "error").lower().replace(" ", "-")
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "unexpected",
        f"The request failed unexpectedly ({type(error).__name__}).",
        hint="The API's log has the details.",
        headers={"Connection": "close"},  # the server closes it, as after every such error
    )
