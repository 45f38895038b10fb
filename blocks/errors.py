"""Every error the product raises on purpose.

    OrchestratorError
    ├── RequestError            the caller asked for something that cannot be done
    │   ├── NotFound            what is asked about does not exist
    │   ├── UnknownAction
    │   ├── NotAllowed          the action is there, and not for whoever asks
    │   └── InvalidMessage
    │       └── Malformed       it cannot even be read as JSON
    ├── DataError               data came, but does not fit its contract
    │   ├── ContractViolation
    │   └── EmptySource
    ├── SourceError             a source outside did not do its part
    │   ├── SourceUnavailable   could not be reached, or answered 5xx          (retryable)
    │   ├── SourceTimeout       did not answer within the deadline             (retryable)
    │   │   └── DeliveryUnknown all was handed over, and nobody knows whether it was taken
    │   ├── SourceRefused       refused our credentials or our request
    │   └── SourceGarbled       answered something that is not what it promises
    ├── LedgerError
    │   ├── LedgerUnavailable   the ledger's database is locked, full or gone  (retryable)
    │   │   └── LedgerDamaged   it no longer holds what was written to it
    │   └── LedgerSchemaError   half-migrated, or written by a newer version
    ├── DeadlineMissed          an action overran its deadline  (retryable unless it only computes)
    ├── NoAgentAvailable        nobody can do it, or everybody is busy         (retryable if busy)
    ├── PolicyError             allowed by nobody, or not now; carries the rule's name
    │   └── ResourceBusy        another workflow has the claim of a resource
    │       └── Yielded         it was ours, and a higher priority took it
    ├── ConfigurationError      a setting, block or file is missing or wrong
    │   └── NoBusinessConfigured
    ├── StackError              a process of the embedded stack cannot start, or is not there
    └── NothingAchieved         every call of a workflow failed (flows.orchestrator.team.team)

Each error says what was wrong, with which value, and (``hint``) what to do about it. Retries are
decided by ``worth_repeating``, never by a list of call sites.
"""

from __future__ import annotations


class OrchestratorError(Exception):
    """Base of all deliberate errors.

    Args:
        what: What went wrong, naming the offending value.
        hint: What the reader can do about it; empty when there is nothing to do.
    """

    retryable = False
    tries_spent = False
    """Whether whoever raised it has tried again already, as often and as long as is good for what
    it called: who catches it does not try again at once."""
    is_askers_fault = False
    """Whether nothing is wrong but what was asked for: no incident, and no failure of ours."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    @property
    def worth_repeating(self) -> bool:
        """Whether whoever catches it may try again at once."""
        return self.retryable and not self.tries_spent

    @property
    def code(self) -> str:
        """The error's name in dashed form, stable for reports, metrics and the API."""
        return _dashed(type(self).__name__)

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".strip()


class RequestError(OrchestratorError):
    """The caller asked for something that cannot be done."""

    is_askers_fault = True


class NotFound(RequestError):
    """What is asked about does not exist."""


class UnknownAction(RequestError):
    """No agent has an action of that name."""


class NotAllowed(RequestError):
    """An action may not be asked for by whoever asks."""


class InvalidMessage(RequestError):
    """A message or parameter does not fit its model."""


class Malformed(InvalidMessage):
    """A document cannot be read as JSON, or as JSON that has one meaning."""


class DataError(OrchestratorError):
    """Data came, but does not fit its contract."""


class ContractViolation(DataError):
    """A frame lacks a required column or holds values that cannot be read."""


class EmptySource(DataError):
    """A source answered, with no rows."""


class SourceError(OrchestratorError):
    """A source outside did not do its part."""

    retryable = True
    nothing_sent = False
    """Whether it is sure that nothing of the request ever left us. An act on the outside world
    that fails so did not happen; any other that gets no answer is unknown."""


class SourceUnavailable(SourceError):
    """The source could not be reached, or answered that it is broken."""


class SourceTimeout(SourceError):
    """The source did not answer within the deadline."""


class DeliveryUnknown(SourceTimeout):
    """What was to be delivered was handed over, and nobody knows whether it was taken.

    Sent again, it may arrive twice.
    """

    retryable = False


class SourceRefused(SourceError):
    """The source refused our credentials or our request."""

    retryable = False


class SourceGarbled(SourceError):
    """The source answered something that is not what it promises."""

    retryable = False


class LedgerError(OrchestratorError):
    """The ledger cannot do what was asked."""


class LedgerUnavailable(LedgerError):
    """The ledger's database is locked, full or gone."""

    retryable = True


class LedgerDamaged(LedgerUnavailable):
    """The ledger's database no longer holds what was written to it."""

    retryable = False


class LedgerSchemaError(LedgerError):
    """The ledger is half-migrated, or was written by a newer version."""


class DeadlineMissed(OrchestratorError):
    """An action did not end within its deadline.

    Args:
        what: Which action, and how long it had.
        retryable: Whether another attempt may be quicker.
    """

    def __init__(self, what: str, *, retryable: bool = True) -> None:
        super().__init__(what)
        self.retryable = retryable


class NoAgentAvailable(OrchestratorError):
    """Nobody can do a task, or everybody who can is busy.

    Args:
        task: What was to be done.
        hint: The near misses.
        busy: Whether it is only a matter of time.
    """

    def __init__(self, task: str, *, hint: str = "", busy: bool = False) -> None:
        super().__init__(f"No agent available for task type: {task}", hint=hint)
        self.retryable = busy
        self.is_askers_fault = not busy


class PolicyError(OrchestratorError):
    """A rule forbids it, or forbids it now.

    Args:
        reason: The rule's name, for instance ``recently-remediated``.
        what: What was refused.
        hint: What would make it allowed.
    """

    def __init__(self, reason: str, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.reason = reason


class ResourceBusy(PolicyError):
    """Another workflow has the claim of a resource, or is next in line.

    Args:
        reason: The rule's name, for instance ``resource-busy``.
        what: What was wanted, and who has it.
        holder: Who has it, and for what; None when nobody has it any more.
        hint: When it comes free.
    """

    def __init__(self, reason: str, what: str, *, holder: str | None, hint: str = "") -> None:
        super().__init__(reason, what, hint=hint)
        self.holder = holder


class Yielded(ResourceBusy):
    """A claim was given up at a safe point, and did not come back in time."""

    def __init__(self, what: str, *, holder: str | None, hint: str = "") -> None:
        super().__init__("yielded", what, holder=holder, hint=hint)


class ConfigurationError(OrchestratorError):
    """A setting, block or file is missing or wrong."""


class NoBusinessConfigured(ConfigurationError):
    """There is no business to look after yet."""


class StackError(OrchestratorError):
    """A process of the embedded stack cannot start, or there is no such process."""


def error_class(code: str) -> type[OrchestratorError] | None:
    """The class of an error by its code; None for a code that no class has."""
    kinds: list[type[OrchestratorError]] = [OrchestratorError]
    for kind in kinds:
        if _dashed(kind.__name__) == code:
            return kind
        kinds += kind.__subclasses__()
    return None


def _dashed(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
