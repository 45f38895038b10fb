"""What makes a chain of receipts hard to forge: a signature, and an anchor outside the ledger.

Whoever can write the ledger can compute a plain hash chain anew, or cut its end off. So the last
receipt of each commit carries a MAC whose key lies outside the ledger, and its head is also kept
in a file of the state folder: a rewritten chain does not fit the key, a shortened one not the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from blocks.machine.private_files import lasting_secret
from blocks.models import Frozen
from blocks.settings import Settings

GENESIS = "0" * 64
"""What the first receipt is chained to."""

_SHORTEST_KEY = 32
_ANCHOR_BYTES = 256  # enough for every head: a shorter one leaves nothing of a longer one behind


def chained_hash(receipt: Mapping[str, Any], previous: str) -> str:
    """The hash of a receipt that follows on ``previous``: SHA-256 of its fields as JSON.

    Its number is not among them: that follows from its place in the chain, and so a receipt that
    was moved is told apart from one that was changed.

    Args:
        receipt: The fields as they are stored, ``at`` as text in UTC.
        previous: Hash of the receipt before it, or ``GENESIS``.
    """
    fields = ("id", "at", "kind", "subject", "run_id", "policy_version", "body")
    text = json.dumps([previous, *(receipt[name] for name in fields)], default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def instant_text(at: datetime) -> str:
    """An instant as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Head(Frozen):
    """The end of a chain of receipts.

    Attributes:
        seq: Number of the last receipt; the first has 1.
        hash: Its hash, which stands for everything before it.
        mac: Signature of its commit; None when no key could be read.
    """

    seq: int
    hash: str
    mac: str | None = None


class Signature(BaseModel):
    """A signature in its parts; as text ``<key id>.<first seq>.<digest>``.

    It says from which receipt on it signs, so that a receipt slipped in between two commits is
    covered by neither.
    """

    key_id: str
    first: int
    digest: str

    @classmethod
    def parse(cls, text: str) -> Signature | None:
        """The parts; None when it is no signature."""
        parts = text.split(".")
        if len(parts) != 3 or not parts[1].isdecimal():
            return None
        return cls(key_id=parts[0], first=int(parts[1][:20]), digest=parts[2])

    def __str__(self) -> str:
        return f"{self.key_id}.{self.first}.{self.digest}"


class Key:
    """A key that receipts are signed with."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.id = hashlib.sha256(b"receipt key " + self._secret).hexdigest()[:8]

    def sign(self, first: int, seq: int, digest: str) -> Signature:
        """Signs the receipts from ``first`` to ``seq``, of which ``digest`` is the last hash.

        HMAC with SHA-256 (RFC 2104).
        """
        text = f"receipts\n{first}\n{seq}\n{digest}".encode()
        mac = hmac.new(self._secret, text, hashlib.sha256).hexdigest()
        return Signature(key_id=self.id, first=first, digest=mac)

    def fits(self, signature: Signature, seq: int, digest: str) -> bool:
        """Whether it signed that."""
        ours = self.sign(signature.first, seq, digest).digest
        return hmac.compare_digest(ours.encode(), signature.digest.encode())


class Seal:
    """The key and the anchor of one ledger.

    Neither can stop a decision from being recorded: without a key receipts are unsigned, without
    a folder they have no anchor, and ``verify`` says so.

    Args:
        key: The key itself, or the file that it is kept in and made in when first needed.
        anchor: File of the anchor; its folder is made when first needed.
    """

    def __init__(self, key: SecretStr | Path, anchor: Path) -> None:
        self.anchor_path = anchor
        self._source = key
        self._key: Key | None = None

    @classmethod
    def of(cls, where: str, settings: Settings) -> Seal:
        """The seal that this machine has for the ledger at ``where``."""
        name = hashlib.sha256(where.encode()).hexdigest()[:16]
        return cls(
            settings.receipt_key or settings.state_dir / "receipts.key",
            settings.state_dir / "receipts" / f"{name}.head",
        )

    def read_key(self, *, make: bool = False) -> Key:
        """The key; with ``make`` a missing file is made.

        Raises:
            OSError: It can be neither read nor made, or is no key.
        """
        if self._key is None:
            if isinstance(self._source, SecretStr):
                secret = self._source.get_secret_value()
            else:
                secret = lasting_secret(self._source) if make else self._source.read_text().strip()
            if len(secret) < _SHORTEST_KEY:
                raise OSError(None, "it holds no key", str(self._source))
            self._key = Key(secret)
        return self._key

    def sign(self, first: int, seq: int, digest: str) -> str | None:
        """A commit's signature; None without a key, for a decision counts more than its seal."""
        try:
            return str(self.read_key(make=True).sign(first, seq, digest))
        except (OSError, UnicodeDecodeError):
            return None

    def anchor(self) -> Head | None:
        """The head as it was last seen on this machine; None when there is no such file."""
        with suppress(OSError), self.anchor_path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return _parse(file.read())
        return None

    def move_anchor(self, head: Head) -> None:
        """Keep a committed head, unless the anchor is there already or further on.

        Overwritten in place by one small write under a lock, because replacing a file makes some
        file systems write to the disk at once. After a power cut the anchor may lag behind, as it
        does after a crash.
        """
        with suppress(OSError):  # it lags behind then, and verify says so
            self.anchor_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT
            with os.fdopen(os.open(self.anchor_path, flags, 0o600), "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                known = _parse(file.read())
                if known is None or known.seq < head.seq:
                    line = json.dumps(head.model_dump()).ljust(_ANCHOR_BYTES - 1) + "\n"
                    file.seek(0)
                    file.truncate(file.write(line.encode()))


def _parse(anchor: bytes) -> Head | None:
    try:
        return Head.model_validate_json(anchor)
    except ValidationError:  # what a power cut left; it counts as none
        return None
