"""What a process does once so that none of those forked from it has to."""

from __future__ import annotations

import gc
import importlib
import ssl
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

from blocks.settings import get_settings

# What Prefect, asyncio and rich import only in the course of a run.
_IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "deployments.worker.prefect_internals",
    "encodings.idna",
    "prefect.concurrency.asyncio",
    "prefect.concurrency.sync",
    "prefect.deployments.steps.pull",
    "prefect.engine",
    "prefect.main",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "rich._emoji_codes",
    "stringprep",
)


def preload(flow_modules: Iterable[str]) -> None:
    """Import what runs need, and make what they would all make alike.

    What cannot be imported is left out: its run will say why, in its own log.

    Args:
        flow_modules: Names of the modules of flows.
    """
    modules = (*_IMPORTED_LATE, *flow_modules)
    steps: list[Callable[[], object]] = [
        *(partial(importlib.import_module, module) for module in modules),
        *(_complete_models, _share_tls_contexts, get_settings, _prepare_tasks),
    ]
    for step in steps:
        try:
            step()
        except Exception:
            print("Not loaded in advance, so its runs are slower or will fail:", file=sys.stderr)
            traceback.print_exc()
    # Collections in the forked processes would else touch, and so copy, all of this.
    gc.collect()
    gc.freeze()


def _prepare_tasks() -> None:
    from agents.registry import registry
    from agents.tasks import prepare_tasks

    prepare_tasks(registry())


def _complete_models() -> None:
    """Build the validators that Pydantic puts off until a model is used."""
    from pydantic import BaseModel

    for model in set(_subclasses(BaseModel)):
        if not model.__pydantic_complete__:
            model.model_rebuild(raise_errors=False)


def _subclasses(model: type[Any]) -> Iterator[type[Any]]:
    for each in model.__subclasses__():
        yield each
        yield from _subclasses(each)


def _share_tls_contexts() -> None:
    """Have Prefect's clients share a TLS context: each reads 140 certificates (20 ms).

    They ask for it with the same arguments and change it in the same way, if at all.
    """
    from prefect.client import orchestration

    names = {name: getattr(ssl, name) for name in ("SSLContext", "CERT_NONE")}
    shared = SimpleNamespace(**names, create_default_context=cache(ssl.create_default_context))
    orchestration.ssl = shared  # type: ignore[assignment, attr-defined]
    orchestration.get_client()  # makes it now; opens nothing
