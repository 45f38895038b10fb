"""Monitored services: their health, their metrics, and how to restart them."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from blocks.business.credentials import Auth, auth_headers, origin_of
from blocks.business.prometheus import query_range
from blocks.egress import InternalHosts, Reach
from blocks.errors import (
    ConfigurationError,
    PolicyError,
    SourceError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
)
from blocks.formats.exposition import ACCEPT, Exposition, read_exposition
from blocks.formats.health_documents import EXCERPT, Level, read_health
from blocks.machine.state_folder import usual_umask
from blocks.partners.answers import Answer, require_success
from blocks.partners.http import fetch
from blocks.vocabulary.messages import Name

_LAST_WORDS = 4096  # bytes of a restart command's output that are looked at


@dataclass(frozen=True)
class ServiceProbe:
    """One look at a service's health endpoint.

    Attributes:
        service: The service's name.
        checked_at: When we looked.
        healthy: It answered 2xx, and did not call itself ill (see ``health_documents``).
        status: HTTP status; None when no answer came.
        latency_ms: Time to the last byte; None when no answer came.
        slow: It is healthy but over its latency budget.
        degraded: It is healthy but has a complaint, for instance ``yellow``.
        clock_skew_s: Its clock minus ours; None when unknown.
        detail: What is wrong, in words; "" when nothing is.
        error: Code of the error that kept an answer from coming; "" when one came.
    """

    service: str
    checked_at: datetime
    healthy: bool
    status: int | None = None
    latency_ms: float | None = None
    slow: bool = False
    degraded: bool = False
    clock_skew_s: float | None = None
    detail: str = ""
    error: str = ""


class MonitoredService(Block):
    """A service the business depends on: its health, its metrics, how to restart it."""

    _block_type_name = "Monitored Service"
    _block_type_slug = "monitored-service"
    _description = "A service the business depends on: its health, its metrics, how to restart it."

    name: Name = Field(description="Dashed name, equal to the block's name.")
    origin: str = Field(default="ui", description="Who made this block; leave it as it is.")
    health_url: str = Field(description="Answers 2xx when the service is well.")
    metrics_url: str | None = Field(
        default=None,
        description="Metrics in Prometheus text or OpenMetrics format, usually …/metrics.",
    )
    history_url: str | None = Field(
        default=None, description="Base URL of a Prometheus server that keeps the history."
    )
    history_username: str = Field(
        default="", description="User name there; with it the credential is a password."
    )
    history_credential: SecretStr | None = Field(
        default=None,
        description="Bearer token or password of the Prometheus server; without it, those of the "
        "service itself are used where it has the same host and port.",
    )
    metrics: list[str] = Field(
        default_factory=list, description="Metric names or PromQL expressions to watch."
    )
    revenue_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of revenue (0 to 1) that stops when it stops."
    )
    restart: list[str] | None = Field(
        default=None,
        description="Command and arguments that restart it, run without a shell; "
        "empty when it must not be restarted automatically.",
    )
    restart_timeout: float = Field(
        default=30.0,
        gt=0,
        le=600,  # a workflow that restarts, and waits for its turn before, ends after 30 minutes
        description="Seconds until a restart command is killed, at most 600.",
    )
    latency_budget_ms: float = Field(
        default=1000.0, gt=0, description="Slower answers than this are reported."
    )
    auth: Auth = Field(default="none", description="How it wants us to authenticate.")
    username: str = Field(default="", description="User name, for basic authentication.")
    credential: SecretStr | None = Field(
        default=None,
        description="The API key, the bearer token or the password; sent to the host and port of "
        "health_url alone.",
    )
    api_key_header: str = Field(
        default="X-API-Key", description="Header that carries the API key, for auth = api-key."
    )
    internal_hosts: InternalHosts = Field(default_factory=list)
    timeout: float = Field(
        default=5.0,
        gt=0,
        le=9,  # a look that fails is repeated, and a health check gives a service 28 s
        description="Seconds that one request may take, at most 9.",
    )

    @model_validator(mode="after")
    def _has_what_its_auth_needs(self) -> MonitoredService:
        if self.auth != "none" and self.credential is None:
            raise ValueError(f"auth {self.auth!r} needs a credential")
        return self

    async def probe(self, now: datetime) -> ServiceProbe:
        """Look at the health endpoint; a service that does not answer is a result, not an error.

        A look is neither repeated nor left out because earlier ones failed.

        Raises:
            ConfigurationError: ``health_url`` is not an address.
        """
        try:
            answer = await fetch(
                self.health_url,
                source=self._who,
                timeout=self.timeout,
                headers=self._auth(self.health_url),
                excerpt=EXCERPT,
                reach=self.reach,
            )
        except SourceError as error:
            return ServiceProbe(self.name, now, False, detail=error.what, error=error.code)
        own = read_health(answer.body)
        return ServiceProbe(
            service=self.name,
            checked_at=now,
            healthy=answer.ok and own.level < Level.ILL,
            status=answer.status,
            latency_ms=round(answer.latency_ms, 1),
            slow=answer.latency_ms > self.latency_budget_ms,
            degraded=own.level == Level.WARNED,
            clock_skew_s=answer.clock_skew_s,
            detail=own.said if answer.ok else _refusal(answer, own.said),
        )

    async def scrape(self) -> Exposition:
        """Current value of every sample at ``metrics_url``.

        Returns:
            The samples, and what of the answer could not be read; empty without a ``metrics_url``.

        Raises:
            SourceError: One of its family, see blocks.partners.http; SourceGarbled when nothing of
                the answer is a sample, and for a redirect, whose address it names.
        """
        if not self.metrics_url:
            return Exposition()
        source = f"the metrics of {self.name}"
        answer = await fetch(
            self.metrics_url,
            source=source,
            timeout=self.timeout,
            headers={"Accept": ACCEPT} | self._auth(self.metrics_url),
            reach=self.reach,
        )
        if answer.location:
            raise SourceGarbled(
                f"{source}: the address redirects to {answer.location} (HTTP {answer.status}).",
                hint="Redirects are not followed: set metrics_url to the final address.",
            )
        require_success(answer, source)
        if "protobuf" in answer.content_type:
            raise SourceGarbled(
                f"{source}: it answers in protobuf, though text was asked for.",
                hint="Have it, or the proxy before it, heed the header Accept.",
            )
        seen = await asyncio.to_thread(
            read_exposition,
            answer.text(),
            openmetrics=answer.content_type == "application/openmetrics-text",
        )
        if seen.unread and not seen.samples:
            raise SourceGarbled(
                f"{source}: the {answer.content_type or 'untyped'} answer holds no Prometheus "
                f"sample ({seen.example}).",
                hint="Check metrics_url.",
            )
        return seen

    async def history(
        self, metric: str, start: datetime, end: datetime, step: timedelta
    ) -> pd.DataFrame:
        """One metric's history from Prometheus (HTTP API v1, ``query_range``).

        Args:
            metric: Metric name or PromQL expression that yields one series.
            start: First instant, timezone-aware.
            end: Last instant, timezone-aware.
            step: Distance of samples; Prometheus gives at most 11,000 of them.

        Returns:
            Frame of contract SERIES, empty when nothing was recorded.

        Raises:
            ConfigurationError: No ``history_url``, or the expression yields several series.
            SourceError: One of its family, see blocks.partners.http.
        """
        if not self.history_url:
            raise ConfigurationError(
                f"{self._who} has no history_url.", hint="Set it to a Prometheus server's address."
            )
        return await query_range(
            self.history_url,
            metric,
            (start, end, step),
            source=f"{self._who} (history)",
            headers=self._history_auth(self.history_url),
            reach=self.reach,
            timeout=self.timeout,
        )

    async def restart_now(self, idempotency_key: str = "") -> str:
        """Run the restart command and wait for it to end.

        Args:
            idempotency_key: What the command finds in ``ORCHESTRATOR_IDEMPOTENCY_KEY``: the same
                when the same restart is tried again.

        Returns:
            The last line the command printed.

        Raises:
            PolicyError: ``unmanaged-resource``: no restart command is configured.
            ConfigurationError: The command cannot be started.
            SourceTimeout: It did not end within ``restart_timeout``; it was killed.
            SourceRefused: It ended with another exit code than 0.
        """
        if not self.restart:
            raise PolicyError(
                "unmanaged-resource",
                f"{self._who} has no restart command.",
                hint="Set restart to the command that restarts it.",
            )
        # A file, not a pipe: a restarted daemon that inherits a pipe would hold it open for ever.
        with tempfile.TemporaryFile() as output:
            code = await self._run(self.restart, output.fileno(), idempotency_key)
            output.seek(max(0, output.seek(0, os.SEEK_END) - _LAST_WORDS))
            said = output.read().decode("utf-8", errors="replace").strip()
        last = said.splitlines()[-1][:300] if said else ""
        if code != 0:
            raise SourceRefused(
                f"Restarting {self._who} failed with exit code {code}: {last or 'no output'}.",
                hint="Run the restart command by hand to see why.",
            )
        return last

    async def _run(self, command: list[str], output: int, idempotency_key: str) -> int:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, "ORCHESTRATOR_IDEMPOTENCY_KEY": idempotency_key},
                start_new_session=True,
                umask=usual_umask(),  # a daemon that it starts may write files for others
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a command"
            raise ConfigurationError(
                f"The restart command of {self._who} cannot be started: {command[0]!r}: {reason}.",
                hint="Give the full path of an executable.",
            ) from None
        try:
            async with asyncio.timeout(self.restart_timeout):
                return await process.wait()
        except TimeoutError:
            raise SourceTimeout(
                f"Restarting {self._who} took longer than {self.restart_timeout:g} s; "
                "the command was killed.",
                hint="Raise restart_timeout, or let the command return at once.",
            ) from None
        finally:
            if process.returncode is None:  # too late or cancelled: nothing of it stays behind
                with suppress(ProcessLookupError):  # ended just now
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    def _history_auth(self, url: str) -> dict[str, str]:
        if self.history_credential is None:
            return self._auth(url)
        return auth_headers(
            "basic" if self.history_username else "bearer",
            self.history_credential,
            username=self.history_username,
            api_key_header="",
        )

    def _auth(self, url: str) -> dict[str, str]:
        if origin_of(url) != origin_of(self.health_url):
            return {}
        return auth_headers(
            self.auth,
            self.credential,
            username=self.username,
            api_key_header=self.api_key_header,
        )

    @property
    def reach(self) -> Reach:
        """What it may be called at."""
        return Reach(tuple(self.internal_hosts))

    @property
    def _who(self) -> str:
        return f"service {self.name!r}"


def _refusal(answer: Answer, said: str) -> str:
    """What an answer other than 2xx says: its status, where it leads, its own words."""
    to = f", a redirect to {answer.location}" if answer.location else ""
    return f"HTTP {answer.status}{to}{f': {said}' if said else ''}"
