"""Files that only this user may read, written in one step."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str, *, durable: bool = False) -> Path:
    """Write a file that only this user may read, replacing it in one step.

    Args:
        path: Where to.
        text: What.
        durable: Whether it must outlive a power cut from now on; costs a disk sync.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
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
