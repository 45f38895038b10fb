"""Acts on the outside world in words: how one stands, how it went, what its kind says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class EffectStatus(StrEnum):
    """Where an effect stands.

        intended -> acting -> done | refused | failed | unknown        done -> undoing -> undone

    Attributes:
        INTENDED: On record, and not begun: it waits for its turn, for its time, or for a yes.
        ACTING: Begun; whoever does it is taken to be alive until its lease is over.
        DONE: It was done; whether that helped is its outcome's business.
        REFUSED: A rule, a person, or whoever was asked would not have it: nothing was done.
        FAILED: It could not be done.
        UNKNOWN: It was begun, and nobody knows how far it came. Never taken for a failure, and
            never done again unless a person says so.
        UNDOING: It is being taken back.
        UNDONE: It was taken back.
    """

    INTENDED = "intended"
    ACTING = "acting"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDOING = "undoing"
    UNDONE = "undone"

    @property
    def is_open(self) -> bool:
        """Whether somebody is at it, or will be."""
        return self in (EffectStatus.INTENDED, EffectStatus.ACTING, EffectStatus.UNDOING)


class EffectVerdict(StrEnum):
    """How an act went, as whoever did it measured.

    Attributes:
        NOT_NEEDED: The precondition did not hold; nothing was done.
        VERIFIED: The predicted change came.
        INEFFECTIVE: It was done, and the change did not come.
        INCONCLUSIVE: It was done, and the measurements don't tell.
        FAILED: It could not be done.
        UNKNOWN: It was begun, and nobody knows how far it came.
    """

    NOT_NEEDED = "not-needed"
    VERIFIED = "verified"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def helped(self) -> bool:
        """Whether what was wrong is known to be well."""
        return self in (EffectVerdict.VERIFIED, EffectVerdict.NOT_NEEDED)

    @property
    def status(self) -> EffectStatus:
        """Where an effect stands that went so."""
        return _STANDS.get(self, EffectStatus.DONE)


_STANDS = {
    EffectVerdict.NOT_NEEDED: EffectStatus.REFUSED,
    EffectVerdict.FAILED: EffectStatus.FAILED,
    EffectVerdict.UNKNOWN: EffectStatus.UNKNOWN,
}


class Approval(StrEnum):
    """Who lets an effect happen.

    Attributes:
        ASK: A person, each time.
        AUTOMATIC: Nobody has to, unless a rule forbids it.
        SHADOW: Nobody may: what would have been done is put on record, as evidence.
    """

    ASK = "ask"
    AUTOMATIC = "automatic"
    SHADOW = "shadow"


@dataclass(frozen=True)
class Effect:
    """What a kind of effect says of itself.

    Attributes:
        precondition: What must be the case for it to be done.
        prediction: The change that it is expected to bring about.
        verified_by: How it is seen whether the change came.
        blast_radius: Whom it may touch, when all goes wrong.
        approval: Who lets it happen, unless the policy says otherwise.
        cooldown: For so long after one that helped, the same target is left alone.
        undo: The agent's action that takes it back, by the same parameters; "" when nothing does.
        lasts: For so long it is wanted; then whoever sweeps takes it back, also when nobody knows
            how far it came. Its undo may be repeated, and changes nothing where there is nothing to
            take back. None: it is meant to stay.
    """

    precondition: str
    prediction: str
    verified_by: str
    blast_radius: str
    approval: Approval = Approval.AUTOMATIC
    cooldown: timedelta = timedelta(minutes=5)
    undo: str = ""
    lasts: timedelta | None = None
