"""An endpoint's secret is changed without a moment in which the partner knows none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.business.business import current_business
from blocks.business.endpoints.rotation import finish_rotation, rotate_secret
from blocks.errors import ConfigurationError, NotFound, RequestError
from blocks.settings import get_settings
from tests.endpoints import SECRET, endpoint

pytestmark = pytest.mark.prefect


async def test_a_block_is_signed_with_both_until_it_is_finished(no_blocks: None) -> None:
    acme = endpoint("acme", "https://a.example/t0-canary", headers={"X-Key": "k"}, origin="test")
    await acme.asave("acme")
    fresh = await rotate_secret("acme")
    [both] = (await current_business()).endpoints
    assert both.previous_secret is not None
    assert both.secret.get_secret_value() == fresh != SECRET
    assert both.previous_secret.get_secret_value() == SECRET
    assert both.url.get_secret_value() == "https://a.example/t0-canary"
    assert both.headers.get_secret_value() == {"X-Key": "k"}
    with pytest.raises(RequestError, match="two secrets already"):
        await rotate_secret("acme")
    await finish_rotation("acme")
    [one] = (await current_business()).endpoints
    assert one.previous_secret is None
    assert one.secret.get_secret_value() == fresh
    with pytest.raises(NotFound):
        await rotate_secret("nobody")


async def test_a_file_is_its_owners_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(tmp_path / "business.toml"))
    get_settings.cache_clear()
    try:
        with pytest.raises(ConfigurationError) as error:
            await rotate_secret("acme")
        assert "whsec_" in error.value.hint
        with pytest.raises(ConfigurationError, match="yours to write"):
            await finish_rotation("acme")
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
