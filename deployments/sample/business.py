"""The sample business as a whole: what has to run for it, and how to break its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from blocks.settings import Settings
from deployments.processes.supervisor import ProcessSpec
from deployments.sample import arrangement, store
from deployments.sample.ordering.books import deliveries


@dataclass(frozen=True)
class SampleBusiness:
    """A sample business that is ready to be started.

    Attributes:
        processes: What has to run, in any order, from the project's root.
        business_file: The TOML file that describes it to the orchestrator.
        store_url: SQLAlchemy URL of the shop's database.
        refilled: Whether the shop's database had to be filled for the day.
        mail_port: Where the supplier that takes orders by mail listens, beside its API.
    """

    processes: list[ProcessSpec] = field(repr=False)  # their environment holds secrets
    business_file: Path
    store_url: str
    refilled: bool
    mail_port: int


def prepare(
    state_dir: Path, settings: Settings, today: date | None = None, *, store_url: str = ""
) -> SampleBusiness:
    """Fill the shop's database up to yesterday and write down how to reach everything.

    What the suppliers have taken orders for is delivered to the shop when it is due.

    Idempotent, and cheap when it was done on the same day. Secrets are drawn once per state folder.

    Args:
        state_dir: Everything goes to its subfolder ``sample``, readable by its owner alone.
        settings: ``host`` and ``sample_port``, the first of seven consecutive ports.
        today: The shop's current day; by its own clock if not given.
        store_url: SQLAlchemy URL of an empty or earlier filled database, instead of a SQLite file.

    Raises:
        ConfigurationError: The folder or the database cannot be used; says why.
    """
    folder = arrangement.open_folder(state_dir)
    access = arrangement.save_access(folder, settings.host, settings.sample_port)
    url = store_url or f"sqlite:///{folder / 'shop.db'}"
    refilled = store.fill_store(url, today or store.shop_today(), deliveries(folder))
    business_file = arrangement.write_business_file(folder, state_dir, access, url)
    processes = arrangement.specs(access, folder, url)
    return SampleBusiness(processes, business_file, url, refilled, access.mail_port)


def business_file(state_dir: Path) -> Path:
    """Where ``prepare`` writes how the orchestrator reaches the sample."""
    return arrangement.folder_of(state_dir) / "business.toml"


def drill_targets(state_dir: Path) -> dict[str, arrangement.DrillTarget]:
    """By name, what a drill can break of the sample business that was prepared in ``state_dir``.

    Raises:
        ConfigurationError: None was prepared there.
    """
    return arrangement.drill_targets(arrangement.load_access(arrangement.folder_of(state_dir)))
