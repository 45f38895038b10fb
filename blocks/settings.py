"""Settings of the product, from the environment (prefix ``ORCHESTRATOR_``)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from blocks.errors import ConfigurationError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

PagePart = Literal[
    "health",
    "incidents",
    "approvals",
    "objectives",
    "agents",
    "workflows",
    "stock",
    "orders",
    "activity",
    "timeline",
]
"""The parts of the status page."""


def _days(value: object) -> object:
    if value == "forever":
        return None
    if isinstance(value, str) and not value.isdecimal():
        raise ValueError("should be a number of days, or forever")
    return value


Days = Annotated[int | None, Field(le=36_500), BeforeValidator(_days)]
"""None: for ever."""


class Retention(BaseModel):
    """For how many days the ledger keeps what is over, by kind of record; or ``forever``.

    The least that each may be is what still looks back: learning, cooldowns, what is sent again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipts: Days = Field(default=730, ge=30, description="Decisions, and what became of them.")
    approvals: Days = Field(default=730, ge=30, description="Questions to people, with answers.")
    effects: Days = Field(default=730, ge=30, description="What was done to the outside world.")
    reports: Days = Field(default=365, ge=7, description="Reports; a workflow's last one stays.")
    calls: Days = Field(default=90, ge=14, description="Runs, tasks, messages, their replies.")
    events: Days = Field(default=90, ge=7, description="Events, and the incidents they made up.")
    dead_letters: Days = Field(default=90, ge=1, description="Dead letters that are settled.")
    samples: Days = Field(default=35, ge=14, description="What our own looks measured.")
    snapshots: Days = Field(default=14, ge=1, description="Snapshots; a store's last one stays.")
    requests: Days = Field(default=2, ge=2, description="Answers to idempotency keys.")


class Settings(BaseSettings):
    """What can be configured from outside; every field is ``ORCHESTRATOR_<NAME>``.

    Paths may be relative to the project root. Ports are on ``host``.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATOR_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    state_dir: Path = Field(
        default=Path(".orchestrator"), description="Everything the embedded stack writes."
    )
    ledger_url: str = Field(
        default="", description="SQLAlchemy URL of the ledger; a SQLite file in state_dir if empty."
    )
    business_file: Path | None = Field(
        default=None, description="TOML file that describes your business."
    )
    internal_hosts: str = Field(
        default="",
        description="Internal hosts that all connections may reach: names, addresses, networks, "
        "for instance db.corp.example,10.1.0.0/16.",
    )
    data_folders: str = Field(
        default="",
        description="Folders whose files connections may read, beside that of the business file, "
        "for instance /srv/shop,/etc/ssl/shop.",
    )
    timezone: str = Field(
        default="", description="IANA zone in which schedules run; the store's own if empty."
    )
    host: str = Field(default="127.0.0.1", description="Address that everything listens on.")
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    sample_port: int = Field(
        default=4310, ge=1, le=65500, description="First of the ports of the sample business."
    )
    api_port: int = Field(default=4250, ge=1, le=65535)
    api_host: str = Field(
        default="",
        description="Address that the REST API listens on; host if empty. One that other machines "
        "reach needs a token first.",
    )
    api_names: str = Field(
        default="",
        description="Host names under which a proxy passes requests on to the API, for instance "
        "ops.example.com,10.0.0.5:8443.",
    )
    api_rate: int = Field(
        default=100, ge=1, description="Requests per second that each caller of the API may make."
    )
    api_intake_rate: int = Field(
        default=5000, ge=1, description="Events per second that each sender may hand in."
    )
    public_page: str = Field(
        default="",
        description="Parts of the status page that everybody may see at /public, without a token, "
        "for instance health,workflows,timeline; none if empty.",
    )
    prefect_database_url: SecretStr | None = Field(
        default=None, description="Prefect's own database; SQLite in state_dir if empty."
    )
    receipt_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs receipts, for machines that share a ledger; else a file in state_dir.",
    )
    worker_limit: int = Field(
        default=4, ge=1, description="Runs at once in a work pool without a limit of its own."
    )
    liveness_timeout: float = Field(
        default=15.0,
        gt=0,
        description="Seconds that a process of the stack has to answer a probe; one that misses "
        "three in a row is started again.",
    )
    notify: str = Field(
        default="",
        description="Prefect notification blocks that are told when a person is needed, "
        "for instance slack-webhook/ops,custom-webhook/pager.",
    )
    heartbeat_url: SecretStr | None = Field(
        default=None,
        description="Called after each daily check, so that a watcher outside notices one that "
        "did not run; URL/fail when it came to nothing (healthchecks.io and its like).",
    )
    retention: Retention = Field(
        default=Retention(), description="For how many days the ledger keeps what is over."
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            return value and ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from error

    @field_validator("public_page")
    @classmethod
    def _known_parts(cls, value: str) -> str:
        known = get_args(PagePart)
        if unknown := [part for part in _listed(value) if part not in known]:
            raise ValueError(f"{unknown[0]!r} is no part of the page: there are {', '.join(known)}")
        return value

    @field_validator("internal_hosts")
    @classmethod
    def _known_hosts(cls, value: str) -> str:
        for entry in _listed(value):
            known_host(entry)
        return value

    @field_validator("data_folders")
    @classmethod
    def _known_folders(cls, value: str) -> str:
        for folder in _listed(value):
            _at_root(Path(folder))
        return value

    @field_validator("state_dir", "business_file")
    @classmethod
    def _from_root(cls, value: Path | None) -> Path | None:
        return value and _at_root(value)

    @property
    def effective_ledger_url(self) -> str:
        """The ledger's URL, with the default filled in."""
        return self.ledger_url or f"sqlite:///{self.state_dir / 'ledger.db'}"

    @property
    def internal_host_names(self) -> list[str]:
        """The internal hosts that all connections may reach."""
        return _listed(self.internal_hosts)

    @property
    def readable_folders(self) -> list[Path]:
        """The folders whose files connections may read."""
        own = [self.business_file.parent] if self.business_file else []
        return own + [_at_root(Path(folder)) for folder in _listed(self.data_folders)]

    @property
    def public_parts(self) -> frozenset[PagePart]:
        """The parts of the status page that need no token."""
        return frozenset(cast(PagePart, part) for part in _listed(self.public_page))

    @property
    def effective_api_host(self) -> str:
        """The address that the API listens on, with the default filled in."""
        return self.api_host or self.host


def known_host(entry: str) -> str:
    """An entry of a list of internal hosts, if it is a name, address, network or socket's folder.

    Raises:
        ValueError: It is none of these.
    """
    if not entry or not entry.isprintable() or any(c in entry for c in " *?@,"):
        raise ValueError(f"{entry!r} is no host name, address, network or folder of a socket")
    if ":" in entry:
        try:
            ip_network(entry, strict=False)
        except ValueError:
            raise ValueError(f"{entry!r} must be a host alone, without scheme and port") from None
    return entry


def _at_root(path: Path) -> Path:
    try:
        return PROJECT_ROOT / path.expanduser()
    except RuntimeError:
        raise ValueError(f"{str(path)!r} names the home of an unknown user") from None


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once (``get_settings.cache_clear()`` reads them anew).

    Raises:
        ConfigurationError: A variable has an unusable value; names the variable and the value.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"ORCHESTRATOR_{'_'.join(map(str, e['loc'])).upper()}={_shown(e)}: {e['msg']}"
            for e in error.errors()
        )
        raise ConfigurationError(f"Bad settings: {faults}.") from None


def _shown(fault: ErrorDetails) -> str:
    """The value at fault, unless it is a secret."""
    kind = Settings.model_fields[str(fault["loc"][0])].annotation
    return "***" if SecretStr in get_args(kind) else repr(fault["input"])
