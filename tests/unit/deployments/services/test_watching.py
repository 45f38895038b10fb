"""What the watching stack says on its output: each thing once."""

from __future__ import annotations

from deployments.services.watching import new_ones


def test_what_only_counts_on_is_not_said_again():
    before = ["store:shop: about 41 are missing since.", "web-1: refused"]
    now = ["store:shop: about 44 are missing since.", "web-1: refused", "web-2: refused"]
    assert new_ones(now, before) == ["web-2: refused"]
