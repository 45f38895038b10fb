"""What a person is asked about an effect, in words."""

from __future__ import annotations

from blocks.ledger.work.effects import EffectRecord
from flows.orchestrator.effects.kinds import Kind

NOBODY_KNOWS = "Nobody knows whether it was done: look before it is done again."


def question_about(kind: Kind, effect: EffectRecord, is_new: bool) -> tuple[str, str]:
    """The title and the text of a question.

    Args:
        kind: The effect's; it may have words of its own.
        effect: Whether it is done, or done again.
        is_new: Whether it was not tried yet.
    """
    if kind.question is not None:
        return kind.question(effect, is_new)
    return _title(effect, is_new), _detail(kind, effect, is_new)


def _title(effect: EffectRecord, is_new: bool) -> str:
    act = f"{effect.kind} on {effect.target}"
    if is_new:
        return f"May {act} be done?"
    return f"Nobody knows whether {act} was {'undone' if effect.outcome.undoing else 'done'}"


def _detail(kind: Kind, effect: EffectRecord, is_new: bool) -> str:
    cause = f" It is for {effect.cause}." if effect.cause else ""
    touched = f"It may touch {kind.says.blast_radius}."
    if is_new:
        return (
            f"It is done when {kind.says.precondition}; expected is that {kind.says.prediction}."
            f"{cause} {touched}\n\nYes has it done. No leaves it undone."
        )
    return (
        f"{effect.outcome.detail}{cause} {touched}\n\nYes has it done again. No leaves it as it is."
    )
