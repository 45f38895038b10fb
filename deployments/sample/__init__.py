"""The sample business: a shop on real sales data, three suppliers and three services.

``prepare`` fills the shop's database and says which processes to start; ``drill_targets`` says how
to break them. Nothing here is imported by agents or flows:
they see a business file like any user's (docs/sample-business.md).

This module imports the database code only when it is used, since every sample process passes
through it on its way up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blocks.settings import Settings
    from deployments.processes.supervisor import ProcessSpec


@dataclass(frozen=True)
class DrillTarget:
    """A sample process that a drill can break.

    Attributes:
        name: Name of the supplier or service.
        kind: ``supplier`` or ``service``.
        url: Its drill endpoint (see deployments.sample.faults).
        token: Bearer token of that endpoint.
    """

    name: str
    kind: str
    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class SampleBusiness:
    """A sample business that is ready to be started.

    Attributes:
        processes: What has to run, in any order, from the project's root.
        business_file: The TOML file that describes it to the orchestrator.
        store_url: SQLAlchemy URL of the shop's database.
        refilled: Whether the shop's database had to be filled for the day.
    """

    processes: list[ProcessSpec] = field(repr=False)  # their environment holds secrets
    business_file: Path
    store_url: str
    refilled: bool


def prepare(
    state_dir: Path, settings: Settings, today: date | None = None, *, store_url: str = ""
) -> SampleBusiness:
    """Fill the shop's database up to yesterday and write down how to reach everything.

    Idempotent, and cheap when it was done on the same day. Secrets are drawn once per state folder.

    Args:
        state_dir: Everything goes to its subfolder ``sample``, readable by its owner alone.
        settings: ``host`` and ``sample_port``, the first of six consecutive ports.
        today: The shop's current day; by its own clock if not given.
        store_url: SQLAlchemy URL of an empty or earlier filled database, instead of a SQLite file.

    Raises:
        ConfigurationError: The folder or the database cannot be used; says why.
    """
    from deployments.sample import arrangement, store

    folder = arrangement.open_folder(state_dir)
    access = arrangement.save_access(folder, settings.host, settings.sample_port)
    url = store_url or f"sqlite:///{folder / 'shop.db'}"
    refilled = store.fill_store(url, today or arrangement.shop_today())
    business_file = arrangement.write_business_file(folder, state_dir, access, url)
    return SampleBusiness(arrangement.specs(access), business_file, url, refilled)


def drill_targets(state_dir: Path) -> dict[str, DrillTarget]:
    """By name, what a drill can break of the sample business that was prepared in ``state_dir``.

    Raises:
        ConfigurationError: None was prepared there.
    """
    from deployments.sample import arrangement

    return arrangement.drill_targets(arrangement.load_access(arrangement.folder_of(state_dir)))
