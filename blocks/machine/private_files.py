"""Files that only this user may read, written in one step."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def private_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A file to be written that only this user may read; what was there stays until it is whole.

    When writing it fails, what was there stays for good, and nothing else is left.

    Args:
        path: Where to.
        durable: Whether it must outlive a power cut from now on; costs a disk sync.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_private(path: Path, text: str, *, durable: bool = False) -> Path:
    """Write a text as ``private_file`` writes; where it is."""
    with private_file(path, durable=durable) as file:
        file.write(text.encode())
    return path


def lasting_secret(path: Path) -> str:
    """32 random bytes in URL-safe base64: made once, whoever comes first, and read ever after.

    Raises:
        OSError: The file can be neither read nor made.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = write_private(
            path.with_name(f"{path.name}.{secrets.token_hex(4)}"),
            base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            durable=True,
        )
        try:
            os.link(draft, path)  # fails when another process was first; then theirs counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
