"""A business from a file and from Prefect's blocks; the blocks as Prefect keeps them."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.blocks.core import Block
from prefect.context import refresh_global_settings_context
from pydantic import SecretStr

from blocks.business.business import Business, current_business, save_business
from blocks.business.ordering.desks import ApiDesk, MailDesk
from blocks.business.probes import Probe
from blocks.business.probing.statements import SqlCheck
from blocks.business.probing.web import HttpCheck
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.business.webhooks.senders import WebhookSource
from blocks.business.webhooks.signatures import new_secret
from blocks.errors import ConfigurationError, NoBusinessConfigured, SourceUnavailable
from blocks.prefect_api.mail import MailServer
from blocks.settings import PROJECT_ROOT, get_settings
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping, Join
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.purchasing import SupplierSays

CANARY = "canary-88b1"
SECRET = "whsec_Y2FuYXJ5LTg4YjEtd2hpY2gtaXMtbG9uZy1lbm91Z2g="
TOML = """
[store]
name = "bolts"
url = "sqlite:///data/${SHOP_FILE}.db"
currency = "EUR"
timezone = "Europe/Berlin"

[store.frames.stock]
table = "shelf"
columns = { sku = "goods.code", on_hand = "pieces" }
joins = [{ table = "goods", on = { goods_id = "id" } }]
where = { state = ["ok", 1] }

[[suppliers]]
name = "acme"
base_url = "https://api.acme.example/v1"
auth = "bearer"
credential = "${ACME_TOKEN}"

[suppliers.ordering]
via = "mail"
to = "orders@acme.example"
server = { host = "mail", security = "none", sender = "shop@bolts.example" }

[[services]]
name = "checkout"
health_url = "http://127.0.0.1:8080/health"
restart = ["systemctl", "restart", "checkout"]

[[webhooks]]
name = "parcels"
secret = "${PARCELS_SECRET}"
subject = "order:{data.order}"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_FILE", "shop")
    monkeypatch.setenv("ACME_TOKEN", CANARY)
    monkeypatch.setenv("PARCELS_SECRET", SECRET)


def written(folder: Path, text: str = TOML) -> Path:
    file = folder / "business.toml"
    file.write_text(textwrap.dedent(text))
    return file


def test_a_file_describes_a_business(tmp_path: Path) -> None:
    business = Business.from_toml(written(tmp_path))
    assert (business.name, business.currency, business.timezone) == (
        "bolts",
        "EUR",
        "Europe/Berlin",
    )
    assert business.store
    assert business.store.url.get_secret_value() == f"sqlite:///{tmp_path}/data/shop.db"
    assert business.store.frames["stock"] == [
        FrameMapping(
            table="shelf",
            columns={"sku": "goods.code", "on_hand": "pieces"},
            joins=[Join(table="goods", on={"goods_id": "id"})],
            where={"state": ["ok", 1]},
        )
    ]
    assert business.suppliers[0].credential == SecretStr(CANARY)
    assert isinstance(desk := business.suppliers[0].ordering, MailDesk)
    assert desk.server.internal_hosts == ["mail"], "it is one's own, and named"
    assert business.services[0].restart == ["systemctl", "restart", "checkout"]
    assert business.webhooks[0].secret == SecretStr(SECRET)
    assert {block.origin for block in business.blocks()} == {"file"}
    assert CANARY not in repr(business)
    assert SECRET not in repr(business)


def test_a_business_may_lack_a_store(tmp_path: Path) -> None:
    text = '[[services]]\nname = "web"\nhealth_url = "http://127.0.0.1/"'
    business = Business.from_toml(written(tmp_path, text))
    assert (business.name, business.currency, business.timezone) == ("business", "XXX", "UTC")


def test_the_example_in_the_manual_is_a_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_URL", "postgresql://127.0.0.1/shop")
    monkeypatch.setenv("PARCELS_SECRET", new_secret())
    monkeypatch.setenv("ACME_SECRET", new_secret())
    manual = (PROJECT_ROOT / "docs" / "connect-your-business.md").read_text()
    business = Business.from_toml(written(tmp_path, manual.split("```toml\n")[1].split("```")[0]))
    assert [block.name for block in business.blocks()] == [
        "my-store",
        "acme",
        "checkout",
        "certificate",
        "parcels",
        "acme",
    ]


def test_the_desks_in_the_manual_are_desks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", CANARY)
    manual = (PROJECT_ROOT / "docs" / "suppliers.md").read_text()
    examples = [part.split("```")[0] for part in manual.split("```toml\n")[1:]]
    suppliers = [Business.from_toml(written(tmp_path, text)).suppliers[0] for text in examples]
    assert [type(supplier.ordering) for supplier in suppliers] == [ApiDesk, MailDesk]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[store]", "[stroe]"), "stroe: there is no such key. Did you mean store"),
        (("url =", "uri ="), "store.uri: there is no such key. Did you mean url?"),
        (("base_url", "url"), "suppliers[0].url: there is no such key. Did you mean base_url?"),
        (("joins", "join"), "store.frames.stock.join: there is no such key. Did you mean joins?"),
        (("on = {", "at = {"), "store.frames.stock.joins[0].at: there is no such key"),
        (("${SHOP_FILE}", "${NO_SUCH}"), "store.url: the environment variable NO_SUCH is not set"),
        (("${ACME_TOKEN}", "${NO_SUCH}"), "suppliers[0].credential: the environment variable"),
        (('"EUR"', '"euro"'), "store.currency: String should match"),
        (("Europe/Berlin", "Berlin"), "store.timezone: 'Berlin' is not an IANA time zone"),
        (('"bearer"', '"magic"'), "suppliers[0].auth: Input should be 'none'"),
        (('credential = "${ACME_TOKEN}"', ""), "suppliers[0]: auth 'bearer' needs a credential"),
        (("${PARCELS_SECRET}", "whsec_short"), "webhooks[0].secret: a webhook secret"),
        (("{data.order}", "{data order}"), "webhooks[0].subject: {data order} is no path"),
        (("[[suppliers]]", "[suppliers]"), "suppliers must be a list. Write [[suppliers]]"),
        (('via = "mail"', 'via = "fax"'), "suppliers[0].ordering.via does not say how"),
        (("to =", "too ="), "suppliers[0].ordering.too: there is no such key. Did you mean to?"),
        (("host =", "hots ="), "suppliers[0].ordering.server.hots: there is no such key"),
        (("orders@acme", "acme"), "suppliers[0].ordering.to: 'acme.example' is no mail address"),
        (('"shelf"', "7"), "store.frames.stock.table: Input should be a valid string"),
        (("sqlite:///", "mongodb://"), "'mongodb' are not supported"),
        (('name = "bolts"', 'name = bolts"'), "is not TOML: Invalid value (at line 3, column 8)"),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_key(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    file = written(tmp_path, TOML.replace(*change, 1))
    with pytest.raises(ConfigurationError) as caught:
        Business.from_toml(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "kept", "why"),
    [
        (("${ACME_TOKEN}", "${NO_SUCH}"), ["bolts", "checkout", "parcels"], "suppliers[0].cred"),
        (("${PARCELS_SECRET}", "whsec_short"), ["bolts", "acme", "checkout"], "webhooks[0].secret"),
        (("Europe/Berlin", "Berlin"), ["acme", "checkout", "parcels"], "store.timezone"),
        (("[[services]]", "[[servces]]"), ["bolts", "acme", "parcels"], "servces: there is no"),
        (("[[suppliers]]", "[suppliers]"), ["bolts", "checkout", "parcels"], "must be a list"),
    ],
)
async def test_one_bad_part_costs_only_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: tuple[str, str],
    kept: list[str],
    why: str,
) -> None:
    file = written(tmp_path, TOML.replace(*change, 1))
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
    get_settings.cache_clear()
    try:
        business = await current_business()
    finally:
        get_settings.cache_clear()
    assert [block.name for block in business.blocks()] == kept
    (left_out,) = business.left_out
    assert why in left_out
    assert str(file) in left_out
    assert CANARY not in left_out


async def test_of_two_of_a_name_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier = '[[suppliers]]\nname = "acme"\nbase_url = "http://127.0.0.1/{}"\n'
    file = written(tmp_path, supplier.format("a") + supplier.format("b"))
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
    get_settings.cache_clear()
    try:
        business = await current_business()
    finally:
        get_settings.cache_clear()
    assert [supplier.base_url for supplier in business.suppliers] == ["http://127.0.0.1/a"]
    assert "the name 'acme' appears twice" in business.left_out[0]


def test_two_of_a_name_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    twice = TOML + '[[suppliers]]\nname = "acme"\nbase_url = "http://x"\n'
    with pytest.raises(ConfigurationError, match="suppliers: the name 'acme' appears twice"):
        Business.from_toml(written(tmp_path, twice))
    with pytest.raises(ConfigurationError, match="describes no business"):
        Business.from_toml(written(tmp_path, ""))
    with pytest.raises(ConfigurationError, match=r"cannot be read: No such file"):
        Business.from_toml(tmp_path / "none.toml")


async def test_the_file_that_is_named_is_the_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(written(tmp_path)))
    get_settings.cache_clear()
    try:
        assert (await current_business()).name == "bolts"
    finally:
        get_settings.cache_clear()


FULL: list[Block] = [
    StoreDatabase(
        name="bolts",
        url=SecretStr(f"postgresql://shop:{CANARY}@127.0.0.1/shop"),
        currency="EUR",
        frames={
            "stock": FrameMapping(
                table="shelf",
                columns={"sku": "goods.code", "on_hand": "pieces"},
                joins=[Join(table="goods", on={"goods_id": "id"})],
                where={"state": ["ok", 1, True], "gone": []},
            )
        },
    ),
    SupplierConnection(
        name="acme",
        base_url="https://api.acme.example",
        format="xml",
        auth="basic",
        username="us",
        credential=SecretStr(CANARY),
        columns={"sku": "@no"},
        defaults={"lead_time_days": 5},
        ordering=ApiDesk(
            via="api",
            orders_path="orders",
            idempotency_header="Idempotency-Key",
            fixed={"customer": 4711},
            answer={"status": "state"},
            status_words={"OK": SupplierSays.CONFIRMED},
        ),
    ),
    SupplierConnection(
        name="globex",
        base_url="https://globex.example",
        ordering=MailDesk(
            via="mail",
            to="orders@globex.example",
            server=MailServer(
                host="mail.shop.example",
                sender="Shop <shop@shop.example>",
                username="us",
                password=SecretStr(CANARY),
            ),
        ),
    ),
    MonitoredService(
        name="checkout",
        health_url="http://127.0.0.1:8080/health",
        metrics=["up"],
        revenue_share=0.4,
        restart=["systemctl", "restart", "checkout"],
        auth="bearer",
        credential=SecretStr(CANARY),
    ),
    Probe(
        name="front",
        check=HttpCheck(
            url="https://shop.example/",
            method="POST",
            body=SecretStr(CANARY),
            headers={"Accept": "application/json"},
            auth="basic",
            username="us",
            credential=SecretStr(CANARY),
            fields={"db.ok": True, "db.lag": 0},
        ),
        severity=Severity.CRITICAL,
    ),
    Probe(
        name="late-jobs",
        check=SqlCheck(url=SecretStr(f"postgresql://us:{CANARY}@db.example/jobs"), expect=0),
    ),
    WebhookSource(
        name="parcels",
        secret=SecretStr(f"whsec_{base64.b64encode(CANARY.encode() * 3).decode()}"),
        previous_secret=SecretStr(SECRET),
        event_type="parcel.moved",
        severity=Severity.WARNING,
        subject="order:{data.order}",
    ),
]


@pytest.mark.prefect
@pytest.mark.parametrize("block", FULL, ids=lambda block: block.name)
async def test_a_block_comes_back_as_it_was_saved(block: Any, prefect_server: str) -> None:
    await block.asave(block.name, overwrite=True)
    try:
        loaded = await type(block).aload(block.name)
        assert loaded.model_dump() == block.model_dump()
        async with get_client() as client:
            shown = await client.read_block_document(
                loaded._block_document_id, include_secrets=False
            )
            kind = await client.read_block_type_by_slug(block.get_block_type_slug())
        assert CANARY not in shown.model_dump_json()
        assert SECRET not in shown.model_dump_json()
        assert kind.description == block._description
    finally:
        await type(block).adelete(block.name)


@pytest.mark.parametrize("block", FULL, ids=lambda block: block.name)
def test_every_field_of_a_form_explains_itself(block: Block) -> None:
    fields = {k: v for k, v in type(block).model_fields.items() if not v.description}
    assert fields == {}


def business(*services: str, store: str = "") -> Business:
    return Business(
        store=StoreDatabase(name=store, url=SecretStr("sqlite:////x.db")) if store else None,
        services=tuple(
            MonitoredService(name=name, health_url="http://127.0.0.1/") for name in services
        ),
    )


@pytest.mark.prefect
@pytest.mark.usefixtures("no_blocks")
async def test_saving_replaces_what_was_there_before_and_the_sample() -> None:
    with pytest.raises(NoBusinessConfigured, match=r"\./orchestrator connect URL"):
        await current_business()

    await save_business(business("web", "mail", store="demo"), origin="sample")
    assert (await current_business()).name == "demo"

    names = await save_business(business("web", "pay", store="mine"), origin="test")
    assert names == ["store-database/mine", "monitored-service/web", "monitored-service/pay"]
    now = await current_business()
    assert now.name == "mine"
    assert [service.name for service in now.services] == ["pay", "web"]
    assert {block.origin for block in now.blocks()} == {"test"}

    assert await save_business(business("web", "pay", store="mine"), origin="test") == names
    await save_business(business("web"), origin="test")
    assert [b.name for b in (await current_business()).blocks()] == ["web"]


@pytest.mark.prefect
@pytest.mark.usefixtures("no_blocks")
async def test_the_sample_steps_back_behind_a_block_of_ones_own() -> None:
    await save_business(business("web", store="demo"), origin="sample")
    own = MonitoredService(name="mine", health_url="http://127.0.0.1/")
    await own.asave("mine")
    try:
        assert [block.name for block in (await current_business()).blocks()] == ["mine"]
    finally:
        await MonitoredService.adelete("mine")


@pytest.mark.prefect
@pytest.mark.usefixtures("no_blocks")
async def test_what_is_only_probed_or_told_stands_beside_the_sample() -> None:
    await save_business(business("web", store="demo"), origin="sample")
    own = Probe(name="port", check={"kind": "tcp", "host": "127.0.0.1", "port": 1})
    await own.asave("port")
    try:
        now = await current_business()
        assert (now.name, [each.name for each in now.probes]) == ("demo", ["port"])
    finally:
        await Probe.adelete("port")


@pytest.mark.prefect
@pytest.mark.usefixtures("no_blocks")
async def test_two_stores_are_one_too_many() -> None:
    await save_business(business(store="mine"), origin="test")
    other = StoreDatabase(name="other", url=SecretStr("sqlite:////y.db"))
    await other.asave("other")
    try:
        with pytest.raises(ConfigurationError, match="There are 2 stores: mine, other"):
            await current_business()
    finally:
        await StoreDatabase.adelete("other")


@pytest.fixture
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    refresh_global_settings_context()
    yield
    monkeypatch.undo()
    refresh_global_settings_context()


@pytest.mark.usefixtures("nobody_there")
async def test_a_prefect_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1/api does not answer"):
        await current_business()
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1/api does not answer"):
        await save_business(business("web"), origin="test")
