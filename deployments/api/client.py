"""A client of the orchestrator's API, in one file that may be copied to where it is used.

It needs ``httpx`` and ``pydantic`` and nothing of ours::

    with Orchestrator("http://127.0.0.1:4250", token="orc_...") as api:
        run = api.send(workflow("daily-health-check", wait=60))
        print(run.state.name, run.report)

``workflow(...)`` and its like make a call; ``Orchestrator`` sends it, and ``AsyncOrchestrator``
does so for code that awaits. A call that gets no answer, or 429, 502, 503 or 504, is sent again;
it carries its idempotency key, so however often it is sent, by whomever, it is carried out once.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Generic, Self, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

T = TypeVar("T")

ATTEMPTS = 5
"""How often a request is sent at most."""

LONGEST_WAIT = 60.0
"""Seconds that the API waits for a run within one request."""

_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.25, 20.0  # seconds
_PASSING = {429, 502, 503, 504}


class ApiError(Exception):
    """The API refused a request, or answered that it cannot do it.

    Attributes:
        status: The HTTP status.
        code: The error's stable name.
        detail: What is wrong, with which value.
        hint: What to do about it.
        problem: The whole of it (RFC 9457).
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, dict(problem)
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail") or f"The API answered {status}.")
        self.hint = str(problem.get("hint", ""))
        super().__init__(f"{self.detail} {self.hint}".strip())


class Unauthorized(ApiError):
    """401 or 403: no valid token, or one that lacks the scope."""


class NotFound(ApiError):
    """404: there is no such run or question."""


class Conflict(ApiError):
    """409: the same request is being carried out, or a rule forbids it now."""


class Invalid(ApiError):
    """400, 413, 415 or 422: the request itself must change."""


class RateLimited(ApiError):
    """429, however often it was sent again."""


class Unavailable(ApiError):
    """5xx, or no answer at all, however often it was sent again. Nothing was lost."""


class Links(BaseModel):
    """Where a run is shown: in the API, and as a page of Prefect's."""

    self: str
    page: str


class Accepted(BaseModel):
    """A run that was accepted."""

    id: str
    workflow: str
    links: Links


class State(BaseModel):
    """How a run stands."""

    type: str
    name: str
    message: str
    is_final: bool


class Run(Accepted):
    """A run; ``report`` is what it reports, ``result`` the task that it carried out."""

    state: State
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    report: dict[str, Any] | None


class Approval(BaseModel):
    """A question to a person; what it is about is in the further fields."""

    model_config = ConfigDict(extra="allow")

    id: str
    title: str
    status: str
    safe_choice: str
    expires_at: datetime


class Answered(BaseModel):
    """What came of an answer: whether it counted, and why it is not in effect yet."""

    approval: Approval
    counted: bool
    faults: list[str]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its answer is read."""

    method: str
    path: str
    read: TypeAdapter[T]
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    wait: float = 0.0

    def arguments(self, timeout: float) -> dict[str, Any]:
        """What httpx is called with."""
        return {
            "method": self.method,
            "url": self.path,
            "headers": dict(self.headers),
            "timeout": timeout + self.wait,
            **({"params": dict(self.query)} if self.query else {}),
            **({"json": self.json} if self.json is not None else {}),
            **({"content": self.content} if self.content is not None else {}),
        }

    def answer(self, response: httpx.Response) -> T:
        """The answer, or the error that it is."""
        if response.is_success:
            return self.read.validate_json(response.content or b"null")
        raise _error(response)


def workflow(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    wait: float = 0,
) -> Call[Run | Accepted]:
    """Run a workflow.

    Args:
        name: For instance ``daily-health-check``.
        parameters: The workflow's own.
        key: The idempotency key; a new one when None.
        wait: Seconds to wait for the result, 60 at most. The answer is a ``Run`` when it ended
            within them, else ``Accepted``.
    """
    body = {"workflow": name, "parameters": dict(parameters or {})}
    return _work("/orchestrate/workflow", body, key, wait)


def task(
    task_type: str, *, key: str | None = None, wait: float = 0, **fields: Any
) -> Call[Run | Accepted]:
    """Have a task done; ``fields`` are params, severity, resource and so on."""
    return _work("/orchestrate/task", {"task_type": task_type, **fields}, key, wait)


def broadcast(
    title: str, *, key: str | None = None, wait: float = 0, **fields: Any
) -> Call[Run | Accepted]:
    """Tell every agent of an alert; ``fields`` are severity, detail, resource and data."""
    return _work("/orchestrate/broadcast", {"title": title, **fields}, key, wait)


def run(run_id: str) -> Call[Run]:
    """How a run stands."""
    return Call("GET", f"/orchestrate/runs/{run_id}", TypeAdapter(Run))


def status() -> Call[dict[str, Any]]:
    """Health, agents, workflows and targets over the last 24 hours."""
    return Call("GET", "/orchestrate/status", TypeAdapter(dict[str, Any]))


def agents() -> Call[list[dict[str, Any]]]:
    """What each agent can do and is doing."""
    return Call("GET", "/orchestrate/agents", TypeAdapter(list[dict[str, Any]]))


def metrics() -> Call[dict[str, Any]]:
    """The whole in a few numbers."""
    return Call("GET", "/metrics/system", TypeAdapter(dict[str, Any]))


def approvals(*statuses: str, limit: int = 100) -> Call[list[Approval]]:
    """Questions of these statuses (all, when none is named), newest first."""
    query = {"status": list(statuses), "limit": limit}
    return Call("GET", "/approvals", TypeAdapter(list[Approval]), query=query)


def answer(approval_id: str, approve: bool, note: str = "") -> Call[Answered]:
    """Answer a question, named by its id or the beginning of it; the first answer counts."""
    body = {"approve": approve, "note": note}
    return Call("POST", f"/approvals/{approval_id}/answer", TypeAdapter(Answered), json=body)


def events(*sent: Mapping[str, Any]) -> Call[Any]:
    """Hand in CloudEvents; sent again, an event with the same source and id is one."""
    batch = len(sent) != 1
    content = json.dumps(list(sent) if batch else sent[0]).encode()
    kind = "application/cloudevents-batch+json" if batch else "application/cloudevents+json"
    headers = {"Content-Type": f"{kind}; charset=utf-8"}
    return Call("POST", "/events", TypeAdapter(Any), content=content, headers=headers)


def cloud_event(source: str, kind: str, data: Any = None, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent 1.0 with an id of its own."""
    event = {"specversion": "1.0", "id": uuid4().hex, "source": source, "type": kind}
    return {**event, "data": data, **attributes}


def webhook(sender: str, secret: str, payload: Any, *, message_id: str | None = None) -> Call[Any]:
    """Sign a payload and hand it in as a Standard Webhook; good for five minutes."""
    content = json.dumps(payload).encode()
    signed = sign(secret, message_id or f"msg_{uuid4().hex}", int(time.time()), content)
    headers = {"Content-Type": "application/json", **signed}
    return Call("POST", f"/webhooks/{sender}", TypeAdapter(Any), content=content, headers=headers)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a Standard Webhook (HMAC-SHA256 over id, timestamp and body).

    Args:
        secret: ``whsec_`` and the key in base64.
        message_id: The same whenever the message is sent again.
        timestamp: Seconds since 1970, of this attempt.
        body: To the byte as it is sent.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


class Orchestrator:
    """Sends calls. One object serves many threads; use it as a context manager.

    Args:
        url: Where the API is.
        token: What ``./orchestrator token create`` printed; none is needed on the API's own
            machine until one was made.
        timeout: Seconds for one attempt, on top of what the API is asked to wait.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._http = httpx.Client(base_url=url, headers=_authorization(token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """The answer to a call.

        Raises:
            ApiError: It was refused, or the API is not there.
        """
        for attempt in count():
            try:
                came: httpx.Response | httpx.TransportError
                came = self._http.request(**call.arguments(self._timeout))
            except httpx.TransportError as error:
                came = error
            if (pause := _pause(came, attempt)) is None:
                break
            time.sleep(pause)
        return call.answer(_response(came))

    def wait(self, run_id: str, *, timeout: float = 600, every: float = 1.0) -> Run:
        """Wait for a run to end, looking at it now and then.

        Args:
            run_id: Which run.
            timeout: Seconds to wait at most.
            every: Seconds between two looks.

        Raises:
            TimeoutError: It has not ended by then.
            ApiError: There is no such run, or the API is not there.
        """
        until = time.monotonic() + timeout
        while not (found := self.send(run(run_id))).state.is_final:
            if time.monotonic() > until:
                raise TimeoutError(f"Run {run_id} has not ended within {timeout:g} s.")
            time.sleep(every)
        return found


class AsyncOrchestrator:
    """``Orchestrator`` for code that awaits."""

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=url, headers=_authorization(token))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """The answer to a call; raises as ``Orchestrator.send``."""
        for attempt in count():
            try:
                came: httpx.Response | httpx.TransportError
                came = await self._http.request(**call.arguments(self._timeout))
            except httpx.TransportError as error:
                came = error
            if (pause := _pause(came, attempt)) is None:
                break
            await asyncio.sleep(pause)
        return call.answer(_response(came))

    async def wait(self, run_id: str, *, timeout: float = 600, every: float = 1.0) -> Run:
        """Wait for a run to end; raises as ``Orchestrator.wait``."""
        until = time.monotonic() + timeout
        while not (found := await self.send(run(run_id))).state.is_final:
            if time.monotonic() > until:
                raise TimeoutError(f"Run {run_id} has not ended within {timeout:g} s.")
            await asyncio.sleep(every)
        return found


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _pause(came: httpx.Response | httpx.TransportError, attempt: int) -> float | None:
    """Seconds after which to send a call again; None when what came stands."""
    asked = ""
    if isinstance(came, httpx.Response):
        asked = came.headers.get("retry-after", "")
        # 409 with it says that the same request is being carried out.
        if came.status_code not in _PASSING and not (came.status_code == 409 and asked):
            return None
    if attempt + 1 == ATTEMPTS:
        return None
    jitter = random.uniform(0, min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0**attempt))  # noqa: S311
    return float(asked) + jitter if asked.isdecimal() else jitter


def _response(came: httpx.Response | httpx.TransportError) -> httpx.Response:
    if isinstance(came, httpx.Response):
        return came
    detail = f"{came.request.url} does not answer ({type(came).__name__})."
    raise Unavailable(0, {"code": "unreachable", "detail": detail}) from came


def _work(path: str, body: Mapping[str, Any], key: str | None, wait: float) -> Call[Run | Accepted]:
    wait = min(wait, LONGEST_WAIT)
    headers = {"Idempotency-Key": key or uuid4().hex}
    if wait > 0:
        headers["Prefer"] = f"wait={wait:.0f}"
    read: TypeAdapter[Run | Accepted] = TypeAdapter(Run | Accepted)
    return Call("POST", path, read, json=body, headers=headers, wait=wait)


def _error(response: httpx.Response) -> ApiError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    status = response.status_code
    kinds: dict[int, type[ApiError]] = {
        **dict.fromkeys((401, 403), Unauthorized),
        **dict.fromkeys((400, 413, 415, 422), Invalid),
        **{404: NotFound, 409: Conflict, 429: RateLimited},
    }
    kind = kinds.get(status, Unavailable if status >= 500 else ApiError)
    return kind(status, problem if isinstance(problem, dict) else {})
