"""What a long command says while it works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from deployments.console.markup import escape


class Progress:
    """Says what is being done and how long it took, one line per finished step."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._going_on: list[str] = []
        self._status = console.status("")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step; steps may overlap."""
        started = time.monotonic()
        self._going_on.append(what)
        self._show()
        try:
            yield
            took = time.monotonic() - started
            self.console.print(f"[green]✓[/] {escape(what)} [dim]{took:.1f} s[/]", highlight=False)
        finally:
            self._going_on.remove(what)
            self._show()

    def say(self, sentence: str) -> None:
        """One line that is no step."""
        self.console.print(f"[yellow]•[/] {escape(sentence)}", highlight=False)

    def _show(self) -> None:
        if self._going_on:
            self._status.update(escape(" · ".join(self._going_on)) + " …")
            self._status.start()
        else:
            self._status.stop()
