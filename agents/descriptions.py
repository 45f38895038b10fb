"""What a message says of the things that travel beside it: small, JSON-able, without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

import pandas as pd
from pydantic import BaseModel

from blocks.vocabulary.frames import Snapshot

LARGEST = 16_384
"""Bytes of JSON above which a value is described by its outline only."""


def describe(value: Any) -> Any:
    """A JSON-able description of any parameter or result.

    Frames become their shape, snapshots their frames' sizes, models their JSON (their outline
    when that is above ``LARGEST`` bytes), and unknown objects their type's name.
    """
    full = _plain(value)
    if len(json.dumps(full)) <= LARGEST:
        return full
    if isinstance(full, dict):
        return {key: _outline(item) for key, item in full.items()}
    return _outline(full)


def can_travel(params: Mapping[str, Any]) -> bool:
    """Whether parameters are plain JSON, and so can be handed to a run elsewhere."""
    try:
        json.dumps(params, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Enum():
            return value.value
        case str():
            return value[:LARGEST]
        case datetime() | date():
            return value.isoformat()
        case Snapshot():
            return {
                "taken_at": value.taken_at.isoformat(),
                "rows": {name: len(frame) for name, frame in value.frames.items()},
                "problems": [str(problem) for problem in value.problems],
                "stale_because": value.stale_because,
            }
        case pd.DataFrame() | pd.Series():
            return {"shape": list(value.shape), "type": type(value).__name__}
        case BaseModel():
            return _plain(value.model_dump(mode="json"))
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return {"type": type(value).__name__}


def _outline(value: Any) -> Any:
    match value:
        case list() if len(value) > 3:
            return {"items": len(value), "first": _outline(value[0])}
        case dict() | list() | str() if len(json.dumps(value)) > LARGEST // 16:
            return {"type": type(value).__name__, "bytes": len(json.dumps(value))}
        case _:
            return value
