"""Effects in tests: what a kind says of itself, and a target whose every act leaves a line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from blocks.ledger import EffectRecord, Ledger, ReceiptKind, ReceiptRecord
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import Effect, EffectStatus, EffectVerdict
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Came, Kind

ANY = Effect(
    precondition="it is broken",
    prediction="it is whole",
    verified_by="a look",
    blast_radius="nobody",
)


@dataclass
class Target:
    """A file to which each act appends its idempotency key; it can be asked whether it did.

    Attributes:
        fails: How many of the next acts are refused; negative: all of them.
        hangs: Whether acts are not over in time.
    """

    file: Path
    fails: int = 0
    hangs: bool = False

    @property
    def acts(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    def _append(self, word: str) -> None:
        with self.file.open("a") as file:
            file.write(f"{word}\n")
            file.flush()
            os.fsync(file.fileno())

    async def act(self, effect: EffectRecord) -> Came:
        if self.fails:
            self.fails -= 1
            return Came(EffectStatus.FAILED, "It was refused.")
        self._append(effect.idempotency_key)
        if self.hangs:
            raise TimeoutError
        return Came(
            EffectStatus.DONE,
            "It is whole.",
            EffectVerdict.VERIFIED,
            after={"acts": len(self.acts)},
        )

    async def undo(self, effect: EffectRecord) -> Came:
        self._append(f"undo-{effect.idempotency_key}")
        return Came(EffectStatus.DONE, "It was taken back.")

    async def look_up(self, ledger: Ledger, effect: EffectRecord) -> Came | None:
        if effect.idempotency_key in self.acts:
            return Came(EffectStatus.DONE, "The target has it.", EffectVerdict.VERIFIED)
        return Came(EffectStatus.FAILED, "The target does not have it.")

    def kind(
        self,
        name: str = "test",
        *,
        can_be_asked: bool = False,
        schedule: Sequence[timedelta] = (),
    ) -> Kind:
        whole = Kind(name, ANY, self.act, undo=self.undo, schedule=schedule)
        return replace(whole, look_up=self.look_up) if can_be_asked else whole


@dataclass(frozen=True)
class Clerk:
    """Who acts in tests: it has a ledger, and puts its questions there."""

    ledger: Ledger
    policy: Policy = field(default_factory=Policy)

    async def escalate(self, record: ApprovalRecord) -> ApprovalRecord:
        return await self.ledger.approvals.ask(record)

    def receipt(self, kind: ReceiptKind, subject: str, **body: Any) -> str:
        receipt = ReceiptRecord(at=utc_now(), kind=kind, subject=subject, body=body)
        self.ledger.record(receipt)
        return receipt.id
