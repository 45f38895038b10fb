"""Finds receipts that were changed, moved, removed, added or cut off behind our back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Text, cast, exists, func, select

from blocks.ledger.calls.tables import ATTEMPTS, MESSAGES, RUNS
from blocks.ledger.receipts.checkpoints import Checkpoint
from blocks.ledger.receipts.faults import Fault, FaultKind
from blocks.ledger.receipts.signing import (
    GENESIS,
    Head,
    Key,
    Seal,
    Signature,
    chained_hash,
    instant_text,
)
from blocks.ledger.receipts.tables import POLICIES, RECEIPTS
from blocks.models import Frozen

PAGE = 1000
"""Receipts that are read at once."""

_BEGUN_BY_THEN = timedelta(days=1)  # a call begins after the decision who takes it
_TOLD = 100  # faults told one by one; of a chain that was rewritten each commit is one


class Verification(Frozen):
    """What became of the receipts.

    Attributes:
        count: Receipts there are.
        head: The last of them.
        anchor: The head that this machine saw last.
        checkpoint: Up to where receipts were cut by retention; None when none were.
        faults: What is wrong, at most 100.
        more_faults: How many more there are.
        notes: What could not be checked, without being wrong.
    """

    count: int
    head: Head | None
    anchor: Head | None
    checkpoint: Checkpoint | None
    faults: list[Fault]
    more_faults: int
    notes: list[str]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


class Undecided(Frozen):
    """Calls that were made without a decision on record: each has one, about who takes it.

    Attributes:
        calls: How many.
        runs: The runs that made them.
        first, last: When the first and the last of them began.
        known_runs: All runs in the ledger.
    """

    calls: int
    runs: int
    first: datetime | None
    last: datetime | None
    known_runs: int

    @property
    def words(self) -> str:
        """What that means."""
        return (
            f"{self.calls:,} calls of {self.runs:,} runs, from {self.first:%Y-%m-%d %H:%M:%S} to "
            f"{self.last:%Y-%m-%d %H:%M:%S} UTC, have no receipt: theirs were removed from the "
            "ledger."
        )


def undecided(connection: Connection, checkpoint: Checkpoint | None) -> Undecided:
    """Looks for calls that no receipt is about.

    Ledgers are older than receipts: what was done before the first policy was used counts as
    decided; so does what was decided before receipts were cut.
    """
    since = [ATTEMPTS.c.started_at >= select(func.min(POLICIES.c.first_used_at)).scalar_subquery()]
    if checkpoint:
        since.append(ATTEMPTS.c.started_at >= checkpoint.before + _BEGUN_BY_THEN)
    query = (
        select(
            func.count(),
            func.count(MESSAGES.c.run_id.distinct()),
            func.min(ATTEMPTS.c.started_at),
            func.max(ATTEMPTS.c.started_at),
            select(func.count()).select_from(RUNS).scalar_subquery(),
        )
        .join_from(ATTEMPTS, MESSAGES, MESSAGES.c.id == ATTEMPTS.c.message_id)
        .where(
            ATTEMPTS.c.attempt == 1,
            *since,
            MESSAGES.c.run_id.is_not(None),
            ~exists().where(RECEIPTS.c.subject == ATTEMPTS.c.message_id),
        )
    )
    calls, runs, first, last, known = connection.execute(query).one()
    return Undecided(calls=calls, runs=runs, first=first, last=last, known_runs=known)


class Checker:
    """Checks receipts one after the other.

    The anchor is read first, or receipts that come in meanwhile would look as if cut off.

    Args:
        seal: The key, and the anchor.
        checkpoint: Those after it are checked; None: all.
    """

    def __init__(self, seal: Seal, checkpoint: Checkpoint | None = None) -> None:
        self.count = 0
        self._seal = seal
        self._checkpoint = checkpoint
        self._anchor = seal.anchor()
        self._at_anchor: str | None = None
        self._head: Head | None = None
        self._unsigned = 1  # first receipt that no signature has covered yet
        self._other_key = ""
        self._faults: list[Fault] = []
        self._more = 0
        if checkpoint:
            self._head = Head(seq=checkpoint.cut_to, hash=checkpoint.hash)
            self._unsigned = checkpoint.cut_to + 1
            self._faults, self._more = list(checkpoint.faults), checkpoint.more_faults
        self._no_key = ""
        self._key: Key | None = None
        try:
            self._key = seal.read_key()
        except (OSError, UnicodeDecodeError) as error:
            self._no_key = getattr(error, "strerror", None) or "it is no text"

    def take(self, row: RowMapping) -> None:
        """Check the receipt that follows."""
        self.count += 1
        seq = row["seq"]
        if not isinstance(seq, int):  # SQLite keeps whatever it is given
            self._fault(FaultKind.CHANGED, None, f"A receipt has the number {seq!r}.")
            return
        expected, previous = (self._head.seq + 1, self._head.hash) if self._head else (1, GENESIS)
        fields = {**row, "at": _instant_text(row["at"])}
        if seq > expected:
            self._fault(
                FaultKind.MISSING,
                expected,
                f"{_receipts(expected, seq - 1)} missing: removed from the ledger.",
            )
            self._unsigned = seq
        elif row["previous"] != previous or seq < expected:
            self._fault(
                FaultKind.OUT_OF_ORDER,
                seq,
                f"Receipt {seq} does not follow on the one before it: one of the two was moved, "
                "replaced or slipped in.",
            )
        if chained_hash(fields, row["previous"]) != row["hash"]:
            self._fault(FaultKind.CHANGED, seq, f"Receipt {seq} was changed after it was recorded.")
        if self._anchor and seq == self._anchor.seq:
            self._at_anchor = row["hash"]
        self._head = Head.model_construct(seq=seq, hash=row["hash"], mac=row["mac"])
        if row["mac"] is not None:
            self._check_signature(self._head, str(row["mac"]))

    def checkpoint(self, before: datetime) -> Checkpoint:
        """A checkpoint at the last receipt that was taken; what is decided before then is cut."""
        assert self._head is not None, "there is something to cut"
        return Checkpoint(
            cut_to=self._head.seq,
            hash=self._head.hash,
            before=before,
            faults=self._faults,
            more_faults=self._more,
        )

    def finish(self, undecided: Undecided, left: int) -> Verification:
        """Check the end of the chain and what should be in it, and say what was found.

        Args:
            undecided: What agents did that no receipt tells of.
            left: Receipts that are there, although the checkpoint says that they are cut.
        """
        last = self._head.seq if self._head else 0
        if undecided.calls:
            self._fault(FaultKind.GONE, None, undecided.words)
        if self._unsigned <= last:
            self._fault(
                FaultKind.UNSIGNED,
                self._unsigned,
                f"{_receipts(self._unsigned, last)} at the end not signed: recorded while the key "
                "could not be read, or added by somebody else.",
            )
        if self._head and self._key is None:
            self._fault(
                FaultKind.UNCHECKED,
                None,
                f"The signatures could not be checked: the key cannot be read ({self._no_key}).",
            )
        notes = self._compare_with_anchor(last, undecided.known_runs)
        if self._checkpoint and left:
            notes.append(
                f"Of the receipts up to {self._checkpoint.cut_to}, which are cut, {left:,} are "
                "there: that was interrupted and goes on within a day, or somebody added them."
            )
        return Verification(
            count=self.count,
            head=self._head,
            anchor=self._anchor,
            checkpoint=self._checkpoint,
            notes=notes,
            faults=self._faults,
            more_faults=self._more,
        )

    def _check_signature(self, head: Head, mac: str) -> None:
        signature = Signature.parse(mac)
        open_from, self._unsigned = self._unsigned, head.seq + 1
        if self._key is None:
            return
        if signature and signature.key_id != self._key.id:
            if signature.key_id != self._other_key:  # once, not for every commit
                self._fault(
                    FaultKind.OTHER_KEY,
                    head.seq,
                    f"Receipt {head.seq} and perhaps more are signed by another key "
                    f"({signature.key_id}, ours is {self._key.id}). Machines that share a ledger "
                    "need the same ORCHESTRATOR_RECEIPT_KEY.",
                )
            self._other_key = signature.key_id
        elif signature is None or not self._key.fits(signature, head.seq, head.hash):
            self._fault(
                FaultKind.REWRITTEN,
                head.seq,
                f"The signature of receipt {head.seq} does not fit: it, or one before it, was "
                "rewritten without the key.",
            )
        elif signature.first > open_from:
            self._fault(
                FaultKind.UNSIGNED,
                open_from,
                f"{_receipts(open_from, signature.first - 1)} not signed: recorded while the key "
                "could not be read, or slipped in by somebody else.",
            )

    def _compare_with_anchor(self, last: int, runs: int) -> list[str]:
        path, anchor = self._seal.anchor_path, self._anchor
        if anchor is None and not last:
            known = (
                f"There is no receipt, and no anchor {path}, although {runs:,} runs are on record"
            )
            return [f"{known}: only those of versions before receipts left none."] if runs else []
        if anchor is None:
            return [f"There is no anchor {path}: a chain cut short would not be noticed."]
        if anchor.seq > last:
            self._fault(
                FaultKind.CUT_OFF,
                last + 1,
                f"{_receipts(last + 1, anchor.seq)} cut off: this machine has seen receipt "
                f"{anchor.seq} (anchor {path}), and the ledger ends "
                f"{f'with {last}' if last else 'before the first'}.",
            )
        elif self._at_anchor is not None and self._at_anchor != anchor.hash:
            self._fault(
                FaultKind.OTHER_CHAIN,
                anchor.seq,
                f"Receipt {anchor.seq} is not the one that this machine has seen (anchor {path}): "
                "the chain was replaced, or another ledger stood in its place.",
            )
        elif anchor.seq < last:
            return [
                f"The anchor {path} stands at receipt {anchor.seq}: whether the chain was cut "
                f"short after {last}, only another machine's anchor could tell."
            ]
        return []

    def _fault(self, kind: FaultKind, seq: int | None, words: str) -> None:
        if len(self._faults) < _TOLD:
            self._faults.append(Fault(kind=kind, seq=seq, words=words))
        else:
            self._more += 1


def page(
    connection: Connection, checker: Checker, after: Any, up_to: int | None = None
) -> tuple[Any, int]:
    """Checks the receipts after one number; returns the last number, and how many they were."""
    is_file = connection.dialect.name == "sqlite"
    at = RECEIPTS.c.at if is_file else func.timezone("UTC", RECEIPTS.c.at)
    others = [column for column in RECEIPTS.columns if column.name != "at"]
    # As text: an instant that was made unreadable must be found, not stop the reading.
    query = select(*others, cast(at, Text).label("at")).order_by(RECEIPTS.c.seq).limit(PAGE)
    if after is not None:
        query = query.where(RECEIPTS.c.seq > after)
    if up_to is not None:
        query = query.where(RECEIPTS.c.seq <= up_to)
    rows = connection.execute(query).mappings().all()
    for row in rows:
        checker.take(row)
    return (rows[-1]["seq"] if rows else after), len(rows)


def _instant_text(stored: str) -> str:
    try:
        return instant_text(datetime.fromisoformat(stored).replace(tzinfo=UTC))
    except (ValueError, TypeError):
        return str(stored)  # it fits no hash


def _receipts(first: int, last: int) -> str:
    return f"Receipt {first} is" if first == last else f"Receipts {first} to {last} are"
