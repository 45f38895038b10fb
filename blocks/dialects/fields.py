"""The fields of a foreign document, read one by one; what does not fit is refused by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from blocks.dialects.instants import rfc3339
from blocks.dialects.strict_json import shown
from blocks.errors import InvalidMessage
from blocks.policy.alert_rules import USUAL, AlertRules
from blocks.text import did_you_mean
from blocks.vocabulary.messages import AgentMessage, Priority, Severity, SystemEvent

OUTSIDE = "outside"
"""The sender of a message that names none."""

LONGEST_ID = 200

PRIORITIES = {
    "low": Priority.LOW,
    "normal": Priority.NORMAL,
    "medium": Priority.NORMAL,
    "high": Priority.HIGH,
    "critical": Priority.CRITICAL,
}

M = TypeVar("M", bound=BaseModel)


class Fields:
    """The fields of one JSON object.

    Args:
        document: The object.
        where: What it is called in errors, for instance ``alerts[2]``; "" for the document itself.

    Raises:
        InvalidMessage: It is no object.
    """

    def __init__(self, document: Any, where: str = "") -> None:
        if not isinstance(document, Mapping):
            refuse(where or "The document", document, "be an object")
        self.document = document
        self._where = f"{where}." if where else ""

    def path(self, name: str) -> str:
        """The name of a field in errors."""
        return f"{self._where}{name}"

    def text(self, name: str, default: str | None = None, *, longest: int = 500) -> str:
        """A text that is not empty; the default where there is none.

        Raises:
            InvalidMessage: It is missing and there is no default, or it is no printable text of
                at most ``longest`` characters.
        """
        value = self.document.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value or len(value) > longest:
            refuse(self.path(name), value, f"be text of 1 to {longest} characters")
        # Ids and names reach terminals, logs and keys.
        if not value.isprintable():
            refuse(self.path(name), value, "have no control characters")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """An object; empty where there is none."""
        value = self.document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            refuse(self.path(name), value, "be an object")
        return value

    def instant(self, name: str) -> datetime | None:
        """An instant in RFC 3339, as UTC; None where there is none.

        A leap second is the first instant after it, for no clock of ours has it.
        """
        value = self.document.get(name)
        if value is None:
            return None
        found = rfc3339(value) if isinstance(value, str) else None
        if found is None:
            refuse(
                self.path(name),
                value,
                "be an instant as in RFC 3339, with its offset from UTC: 2026-03-01T12:00:00Z, or "
                "2026-03-01T13:00:00+01:00",
            )
        return in_utc(found, self.path(name))

    def severity(
        self, name: str, default: Severity, notes: list[str], rules: AlertRules = USUAL
    ) -> Severity:
        """A severity by any usual word, or one of the house; an unknown word is a warning.

        Args:
            name: Of the field.
            default: Where there is none.
            notes: Where an unknown word is told, so that it does not pass for what was meant.
            rules: The words.
        """
        value = self.document.get(name)
        if value is None:
            return default
        known = rules.severity_of(str(value))
        if known is None:
            notes.append(
                f"{self.path(name)} is {shown(value)}, a word that is not known: it counts as "
                "warning."
            )
        return known or Severity.WARNING

    def priority(self, name: str) -> Priority | None:
        """A priority by its word or number; None where there is none."""
        value = self.document.get(name)
        if value is None:
            return None
        word = value.lower() if isinstance(value, str) else None
        number = value if type(value) is int else 0  # true is no number
        if word not in PRIORITIES and number not in list(Priority):
            refuse(self.path(name), value, f"be one of {', '.join(PRIORITIES)}")
        return PRIORITIES[word] if word else Priority(number)

    def only(self, known: Collection[str]) -> None:
        """See that there is no other field.

        Raises:
            InvalidMessage: There is one; names it, and the known ones next to it.
        """
        for name in self.document:
            if name not in known:
                what = f"There is no field {shown(self.path(name))}."
                raise InvalidMessage(what, hint=did_you_mean(name, known))


def in_utc(instant: datetime, name: str) -> datetime:
    """An aware instant in UTC.

    Raises:
        InvalidMessage: In UTC it would lie before the year 1, or after the year 9999.
    """
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        refuse(name, instant.isoformat(), "lie within the years 1 to 9999")


def refuse(name: str, value: Any, must: str) -> NoReturn:
    """Refuse a field.

    Raises:
        InvalidMessage: Always.
    """
    if value is None:
        raise InvalidMessage(f"{name} is missing.", hint=f"Add {name}: it must {must}.")
    raise InvalidMessage(f"{name} is {shown(value)}.", hint=f"It must {must}.")


def message(values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> AgentMessage:
    """The message of these values; those that are None are left to the model.

    Args:
        values: By the names of our own form.
        names: What the dialect calls them, where it differs.

    Raises:
        InvalidMessage: One does not fit; names it as the dialect does.
    """
    return _built(AgentMessage, values, names or {})


def event(values: Mapping[str, Any], names: Mapping[str, str] | None = None) -> SystemEvent:
    """The event of these values; see ``message``."""
    return _built(SystemEvent, values, names or {})


def _built(model: type[M], values: Mapping[str, Any], names: Mapping[str, str]) -> M:
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise explained(error, names) from None


def explained(error: ValidationError, names: Mapping[str, str]) -> InvalidMessage:
    """What a model said, as a refusal of the field at fault."""
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    name = ".".join([names.get(place[0], place[0]), *place[1:]])
    if first["type"] == "missing":
        return InvalidMessage(f"{name} is missing.", hint="A message needs it.")
    hint = f"{first['msg']}."
    if "pattern" in first.get("ctx", {}):
        hint = "It must be a dashed name, for instance sre-reliability."
    return InvalidMessage(f"{name} is {shown(first['input'])}.", hint=hint)
