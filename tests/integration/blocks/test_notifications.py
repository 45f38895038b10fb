"""People are told through real notification blocks, and what fails is said without secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret

from blocks.prefect_api import notifications as channels
from blocks.settings import get_settings
from tests.loopback import HANG, Reply, serve

pytestmark = pytest.mark.prefect

SECRET = "T0-canary"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    get_settings.cache_clear()


def tell(told: pytest.MonkeyPatch, names: str) -> None:
    told.setenv("ORCHESTRATOR_NOTIFY", names)
    get_settings.cache_clear()


async def save(name: str, url: str) -> None:
    block = CustomWebhookNotificationBlock(
        name=name,
        url=f"{url}/{SECRET}",
        method="GET",
        params={"subject": "{{subject}}", "body": "{{body}}"},
    )
    await block.asave(name, overwrite=True)


async def test_nobody_to_tell_is_no_fault(prefect_server: str, told: pytest.MonkeyPatch) -> None:
    tell(told, "")
    assert await channels.notify("Subject", "Body") == []


async def test_everybody_is_told_and_each_fault_is_said_without_its_secret(
    prefect_server: str, told: pytest.MonkeyPatch
) -> None:
    async with serve(Reply("ok")) as good, serve(Reply("no", status=503)) as bad:
        await save("good", good.url)
        await save("bad", bad.url)
        await save("gone", "http://127.0.0.1:9")
        await Secret(value=SECRET).asave("a-secret", overwrite=True)
        tell(
            told,
            "custom-webhook/bad, custom-webhook/gone,custom-webhook/unknown,secret/a-secret,"
            "nonsense,,custom-webhook/good",
        )
        faults = await channels.notify("Your answer is needed", "The supplier is silent.")
    [request] = good.requests
    assert request.query == {"subject": "Your answer is needed", "body": "The supplier is silent."}
    said = dict(fault.removeprefix("Nobody was notified through ").split(": ") for fault in faults)
    assert said == {
        "custom-webhook/bad": "it was refused with HTTP 503.",
        "custom-webhook/gone": "sending failed (ConnectError).",
        "custom-webhook/unknown": "there is no such block, or it cannot be used.",
        "secret/a-secret": "it is no notification block.",
        "nonsense": "there is no such block, or it cannot be used.",
    }
    assert SECRET not in " ".join(faults)


async def test_one_that_never_answers_is_given_up(
    prefect_server: str, told: pytest.MonkeyPatch
) -> None:
    told.setattr(channels, "DEADLINE", 1.5)
    async with serve(HANG) as silent, serve(Reply("ok")) as good:
        await save("silent", silent.url)
        await save("good", good.url)
        tell(told, "custom-webhook/silent,custom-webhook/good")
        assert await channels.notify("Subject", "Body") == [
            "Nobody was notified through custom-webhook/silent: not done within 1.5 s."
        ]
    assert len(good.requests) == 1
