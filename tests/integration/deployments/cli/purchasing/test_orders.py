"""``./orchestrator orders``: what is under way, and what a person says of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from tests.forked import orchestrator
from tests.orders import order, sent


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    """A ledger with one order that was sent."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger:
        asyncio.run(sent(ledger, order("a", "b", reference="PO-260301-AAAA")))
    return {"ORCHESTRATOR_LEDGER_URL": url, "ORCHESTRATOR_STATE_DIR": str(tmp_path)}


def told(state: dict[str, str], *arguments: str) -> str:
    done = orchestrator("orders", *arguments, **state)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_order_is_listed_answered_for_received_and_over(state: dict[str, str]) -> None:
    assert "PO-260301-AAAA" in told(state)
    assert json.loads(told(state, "--json"))[0]["stage"] == "sent"
    word = told(state, "answered", "PO-260301", "partly", "a=4", "--number", "S-9")
    assert "partly" in word
    assert "answered partly S-9" in word
    received = told(state, "received", "PO-260301", "a=4", "b=10")
    assert "received" in received
    noted = told(state, "note", "PO-260301", "wrong: twice too many")
    assert "wrong: twice too many" in noted
    assert "No order is under way" in told(state)
    assert "PO-260301-AAAA" in told(state, "--all")
    assert "sent" in told(state, "show", "PO-260301-AAAA")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("received", "PO-260301", "a"), "'a' is no number of pieces"),
        (("received", "PO-260301", "a=1000000000000000000"), "no number of pieces"),
        (("received", "PO-260301", "a=-1"), "no number of pieces"),
        (("received", "PO-260301", "a=1001"), "1,001 pieces of 'a' are beyond belief: 10 were"),
        (("received", "PO-260301", "a=1", "a=2"), "there twice"),
        (("received", "PO-260301", "x=1"), "no item 'x'"),
        (("answered", "PO-260301", "yes"), "nothing that a supplier says"),
        (("cancel", "PO-260301"), "waits for no yes"),
        (("show", "PO-999999"), "no order 'PO-999999'"),
    ],
)
def test_a_slip_is_told_in_a_line(
    state: dict[str, str], arguments: tuple[str, ...], what: str
) -> None:
    done = orchestrator("orders", *arguments, **state)
    assert done.returncode == 2
    assert what in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reference_can_be_copied_from_a_narrow_terminal(state: dict[str, str]) -> None:
    whole = "PO-261130-F294E978"
    with Ledger.open(state["ORCHESTRATOR_LEDGER_URL"]) as ledger:
        asyncio.run(
            sent(ledger, order("c", reference=whole, supplier="a-supplier-with-a-long-name"))
        )
    assert whole in told({**state, "COLUMNS": "80"})
