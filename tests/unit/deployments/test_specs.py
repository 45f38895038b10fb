"""Addresses of the stack's processes."""

import pytest

from deployments.sample.arrangement import Access
from deployments.specs import local_url


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
