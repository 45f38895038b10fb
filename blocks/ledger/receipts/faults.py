"""What can be wrong with a chain of receipts."""

from __future__ import annotations

from enum import StrEnum

from blocks.models import Frozen


class FaultKind(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_ORDER = "out-of-order"
    UNSIGNED = "unsigned"
    REWRITTEN = "rewritten"
    OTHER_KEY = "other-key"
    UNCHECKED = "unchecked"
    CUT_OFF = "cut-off"
    OTHER_CHAIN = "other-chain"
    GONE = "gone"


class Fault(Frozen):
    """One thing that is wrong, with the number of the receipt where it shows."""

    kind: FaultKind
    seq: int | None
    words: str
