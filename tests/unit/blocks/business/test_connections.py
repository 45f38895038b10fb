"""Connections by name, and events as they come."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from blocks.business.business import Business
from blocks.business.connections import connections_of, find_connection
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.errors import InvalidMessage
from blocks.store.block import StoreDatabase
from blocks.vocabulary.messages import Severity, SystemEvent
from blocks.vocabulary.responses import EventResponse, read_event, subject_of

BUSINESS = Business(
    StoreDatabase(name="shop", url=SecretStr("sqlite:///shop.db")),
    suppliers=(
        SupplierConnection(name="acme", base_url="http://acme.example"),
        SupplierConnection(name="search", base_url="http://search.example"),
    ),
    services=(MonitoredService(name="search", health_url="http://search.example/health"),),
)


def test_a_connection_is_found_by_name_or_by_kind_and_name():
    assert [c.resource for c in connections_of(BUSINESS)] == [
        "store:shop",
        "supplier:acme",
        "supplier:search",
        "service:search",
    ]
    assert find_connection(BUSINESS, "acme").block is BUSINESS.suppliers[0]
    assert find_connection(BUSINESS, "store:shop").block is BUSINESS.store
    assert find_connection(BUSINESS, "service:search").block is BUSINESS.services[0]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("acne", r"no connection 'acne'\. Did you mean acme\?"),
        ("supplier:acne", r"Did you mean supplier:acme"),
        ("zzz", r"There are shop, acme, search\."),
        ("search", r"2 connections 'search'\. Say which: supplier:search, service:search\."),
    ],
)
def test_a_name_that_is_not_one_connections_is_refused_with_what_is_near(name, told):
    with pytest.raises(InvalidMessage, match=told):
        find_connection(BUSINESS, name)


def test_without_any_connection_the_hint_says_so():
    with pytest.raises(InvalidMessage, match="There is none"):
        find_connection(Business(None), "acme")


def test_an_event_is_read_and_its_subject_taken_apart():
    event = read_event({"source": "shop", "type": "sick", "subject": "service:web:eu"})
    assert subject_of(event) == ("service", "web:eu")
    assert subject_of(event.model_copy(update={"subject": "web"})) == ("", "web")
    assert subject_of(event.model_copy(update={"subject": ""})) == ("", "")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"type": "sick"}, r"event\.source: Field required"),
        ({"source": "s", "type": "t", "severity": "dire"}, r"event\.severity: "),
        ({"source": "s", "type": "t", "approved": True}, r"event\.approved: Extra"),
    ],
)
def test_what_is_no_event_is_refused_by_its_field(document, told):
    with pytest.raises(InvalidMessage, match=told):
        read_event(document)


def test_an_agent_that_is_not_concerned_says_why():
    event = SystemEvent(source="s", type="t", severity=Severity.CRITICAL, subject="moon:full")
    answer = EventResponse.not_concerned(event, "No moon here.")
    assert (answer.relevant, answer.severity, answer.resource) == (False, "info", "moon:full")
    assert answer.summary == "No moon here."
