"""Addresses of the stack's processes."""

import pytest

from blocks.settings import Settings
from deployments.processes.specs import local_url, stack_environment
from deployments.sample.arrangement import Access


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4310"),
        ("::1", "http://[::1]:4310"),
        ("0.0.0.0", "http://127.0.0.1:4310"),
        ("::", "http://[::1]:4310"),
    ],
)
def test_any_address_can_be_reached_from_this_machine(host: str, url: str) -> None:
    assert local_url(host, 4310) == url
    assert Access(host, 4310, {}, {}).base_url("northwind-wholesale") == url


def test_clients_ask_for_no_tokens_that_the_server_does_not_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED"
    assert stack_environment(Settings())[asks] == "false"
    monkeypatch.setenv("PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED", "true")
    assert asks not in stack_environment(Settings())
