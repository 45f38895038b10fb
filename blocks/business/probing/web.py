"""Probing over HTTP: the status, a text, fields of a JSON answer."""

from __future__ import annotations

import json
from typing import Any, Literal

import httpx
from pydantic import Field, SecretStr, model_validator

from blocks.business.credentials import Auth, auth_headers, origin_of
from blocks.business.probing.seen import Call, Fault, Seen
from blocks.errors import ConfigurationError
from blocks.models import Strict
from blocks.partners.answers import Answer
from blocks.partners.http import fetch, place_of

MOST_REDIRECTS = 5

_EXCERPT = 512 * 1024
"""Bytes of an answer that are looked at for a text or a field."""

Plain = str | int | float | bool | None


class HttpCheck(Strict):
    """A request, and what its answer should be."""

    kind: Literal["http"] = "http"
    url: str = Field(description="What is asked for: https://shop.example/health")
    method: Literal["GET", "HEAD", "POST"] = "GET"
    body: SecretStr = Field(
        default=SecretStr(""), description="What a POST carries; JSON unless headers say."
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="Further headers, shown as they are: a secret one is api_key_header.",
    )
    auth: Auth = Field(default="none", description="How it wants us to authenticate.")
    username: str = Field(default="", description="User name, for basic authentication.")
    credential: SecretStr | None = Field(
        default=None, description="The API key, the bearer token or the password."
    )
    api_key_header: str = Field(default="X-API-Key", description="Header that carries the API key.")
    status: list[int] = Field(
        default_factory=list, description="Good statuses; 200 to 299 when empty."
    )
    contains: str = Field(default="", description="A text that the answer must contain.")
    fields: dict[str, Plain] = Field(
        default_factory=dict,
        description='Fields of the JSON answer, dotted, to what they must be: {"db.status" = "ok"}',
    )
    follow_redirects: bool = Field(
        default=False, description=f"Whether redirects are followed, {MOST_REDIRECTS} at most."
    )

    @model_validator(mode="after")
    def _can_be_asked(self) -> HttpCheck:
        if self.auth != "none" and self.credential is None:
            raise ValueError(f"auth {self.auth!r} needs a credential")
        try:
            place_of(self.url, "the probe")
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def hosts(self) -> list[str]:
        """Whom it names."""
        return [httpx.URL(self.url).raw_host.decode("ascii")]

    async def look(self, call: Call) -> Seen:
        """Ask once.

        Raises:
            SourceError: No answer came.
            ConfigurationError: The host may not be called, or the request cannot be built.
        """
        answer, took = await self._fetch(self.url, call), 0.0
        for _ in range(MOST_REDIRECTS if self.follow_redirects else 0):
            if not answer.location:
                break
            took += answer.latency_ms
            there = str(httpx.URL(answer.url).join(answer.headers["location"]))
            answer = await self._fetch(there, call)
        return Seen(self._fault(answer), round(took + answer.latency_ms, 1))

    async def _fetch(self, url: str, call: Call) -> Answer:
        body = self.body.get_secret_value()
        headers = {"content-type": "application/json"} if body else {}
        if origin_of(url) == origin_of(self.url):  # nobody else is told who we are
            headers |= {name.lower(): value for name, value in self.headers.items()}
            headers |= auth_headers(
                self.auth,
                self.credential,
                username=self.username,
                api_key_header=self.api_key_header,
            )
        return await fetch(
            url,
            source=call.who,
            timeout=call.timeout,
            reach=call.reach,
            method=self.method,
            headers=headers,
            body=body.encode(),
            excerpt=_EXCERPT,
        )

    def _fault(self, answer: Answer) -> Fault | None:
        good = answer.status in self.status if self.status else answer.ok
        if not good:
            to = f", a redirect to {answer.location}" if answer.location else ""
            wanted = " or ".join(map(str, self.status)) or "2xx"
            return Fault(f"HTTP {answer.status}{to} instead of {wanted}")
        if self.contains and self.contains not in answer.body.decode("utf-8", errors="replace"):
            return Fault(f"the answer does not contain {self.contains[:60]!r}")
        return self._wrong_field(answer) if self.fields else None

    def _wrong_field(self, answer: Answer) -> Fault | None:
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            return Fault(f"the {answer.content_type or 'untyped'} answer is no JSON")
        for path, wanted in self.fields.items():
            is_there, value = _at(document, path)
            if not is_there:
                return Fault(f"the answer has no field {path!r}")
            if not _equal(value, wanted):
                # Not the value itself: what a stranger answers may be anything, a secret included.
                return Fault(f"the field {path!r} is not {wanted!r}")
        return None


def _at(document: Any, path: str) -> tuple[bool, Any]:
    """Whether there is such a field, and its value; a number in the path is a place in a list."""
    value = document
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def _equal(value: Any, wanted: Plain) -> bool:
    """JSON tells true from 1, as Python's == does not."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
