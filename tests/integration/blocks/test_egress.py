"""Nothing inside is called or read but what is named: over HTTP, over SQL, and by file."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from agents.integration_specialist.format_transformation import propose_mapping
from agents.sre_reliability.system_monitoring.endpoint import probe_endpoint
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.business.suppliers import SupplierConnection
from blocks.egress import GuardedTransport, Reach
from blocks.errors import ConfigurationError, SourceError, SourceUnavailable
from blocks.partners.http import fetch
from blocks.settings import get_settings
from blocks.store import sql
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping
from deployments.cli.__main__ import app
from deployments.sample.arrangement import open_folder, save_access, write_business_file
from tests.loopback import Reply, serve

NOW = datetime(2026, 11, 28, tzinfo=UTC)
REFUSED = "internal hosts must be named"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("ORCHESTRATOR_INTERNAL_HOSTS")
    monkeypatch.delenv("ORCHESTRATOR_DATA_FOLDERS")
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names mean, one answer after the other, the last one for ever."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        left = answers.get(str(host))
        if left is None:
            return real(host, port, *args, **kwargs)
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [entry for address in addresses for entry in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


def stock_of(url: str, **more: Any) -> StoreDatabase:
    stock = FrameMapping(table="stock", columns={"sku": "sku", "on_hand": "n"})
    return StoreDatabase(name="shop", url=url, frames={"stock": stock}, **more)


def shop_file(file: Path) -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript("CREATE TABLE stock (sku, n); INSERT INTO stock VALUES ('a', 1);")
    return file


def connected(url: str) -> str:
    """What ``./orchestrator connect`` prints, on one line."""
    return " ".join(CliRunner().invoke(app, ["connect", url]).output.split())


async def test_a_block_reaches_an_internal_host_only_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve(Reply("[]")) as server:
        supplier = SupplierConnection(name="acme", base_url=server.url)
        service = MonitoredService(
            name="till", health_url=server.url, metrics_url=server.url, history_url=server.url
        )
        for call in (
            supplier.check(),
            supplier.fetch_offers(NOW),
            service.probe(NOW),
            service.scrape(),
            service.history("up", NOW, NOW, NOW - NOW),
            probe_endpoint(Business(None, (supplier,)), "acme"),
        ):
            with pytest.raises(ConfigurationError, match=REFUSED):
                await call
        assert server.requests == []

        named = supplier.model_copy(update={"internal_hosts": ["127.0.0.1"]})
        assert (await named.check()).ok
        assert (await probe_endpoint(Business(None, (named,)), "acme")).there
        monkeypatch.setenv("ORCHESTRATOR_INTERNAL_HOSTS", "127.0.0.0/8")
        get_settings.cache_clear()
        assert (await service.probe(NOW)).healthy


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]", "0"],
)
async def test_no_spelling_of_an_address_gets_through(host: str) -> None:
    async with serve(Reply("[]")) as server:
        with pytest.raises(ConfigurationError):
            await fetch(f"http://{host}:{server.port}/", source="it", timeout=5)
        assert server.requests == []


async def test_a_redirect_to_an_internal_host_is_not_followed() -> None:
    async with serve(Reply("secret")) as inside:
        away = Reply(status=307, headers={"Location": inside.url})
        async with serve(away) as server:
            reach = Reach(("127.0.0.1",))
            assert (await fetch(server.url, source="it", timeout=5, reach=reach)).status == 307
        assert inside.requests == []


async def test_a_name_that_changes_after_the_look_gains_nothing(
    names: dict[str, list[list[str]]],
) -> None:
    """What was looked at is what is called: the next answer would lead to 127.0.0.1."""
    async with serve(Reply("secret")) as inside:
        names["changing.example"] = [["127.0.0.9"], ["127.0.0.1"]]
        url = f"http://changing.example:{inside.port}/"
        with pytest.raises(SourceUnavailable, match="cannot be reached"):  # nobody is at .9
            await fetch(url, source="it", timeout=5, reach=Reach(("127.0.0.9",)))
        assert inside.requests == []
        with pytest.raises(ConfigurationError, match=REFUSED):
            await fetch(url, source="it", timeout=5, reach=Reach(("127.0.0.9",)))


async def test_the_next_address_is_tried_and_the_host_header_is_the_name(
    names: dict[str, list[list[str]]],
) -> None:
    async with serve(Reply("ok")) as server:
        names["shop.example"] = [["127.0.0.9", "127.0.0.1"]]
        url = f"http://shop.example:{server.port}/"
        answer = await fetch(url, source="it", timeout=5, reach=Reach(("shop.example",)))
    assert answer.ok
    assert server.requests[0].headers["host"] == f"shop.example:{server.port}"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """For shop.example, signed by itself."""
    file = tmp_path / "shop.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=shop.example"
    more = "-addext subjectAltName=DNS:shop.example -keyout shop.pem -out cert.pem"
    subprocess.run([*make.split(), *more.split()], cwd=tmp_path, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return file


async def test_the_certificate_is_checked_against_the_name(
    names: dict[str, list[list[str]]], certificate: Path
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=ours)
    port = server.sockets[0].getsockname()[1]
    names |= {"shop.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    trusted = ssl.create_default_context(cafile=str(certificate))
    transport = GuardedTransport("it", Reach(("127.0.0.1",)), trusted)
    async with server, httpx.AsyncClient(transport=transport, trust_env=False) as client:
        assert (await client.get(f"https://shop.example:{port}/")).status_code == 200
        with pytest.raises(httpx.ConnectError, match=r"not valid for 'other\.example'"):
            await client.get(f"https://other.example:{port}/")


@pytest.mark.services
async def test_a_database_inside_is_reached_only_by_name(
    postgres_url: str, mariadb_url: str, names: dict[str, list[list[str]]]
) -> None:
    for url in map(sa.make_url, (postgres_url, mariadb_url)):
        for host in ("127.0.0.1", "localhost", "2130706433", "127.1", None):
            inside = url.set(host=host).render_as_string(hide_password=False)
            with pytest.raises(ConfigurationError, match=REFUSED):
                await stock_of(inside).check()
            with pytest.raises(ConfigurationError, match=REFUSED):
                await propose_mapping(inside)
        closed = url.set(port=1).render_as_string(hide_password=False)
        with pytest.raises(ConfigurationError, match=REFUSED):
            await stock_of(closed).check()

        names["db.example"] = [["127.0.0.9", "127.0.0.1"]]  # the first is tried, and is not there
        named = url.set(host="db.example").render_as_string(hide_password=False)
        assert (await stock_of(named, internal_hosts=["db.example"]).check()).latency_ms > 0
        # And the look is the only one, whatever the next answer would be.
        names["db.example"] = [["127.0.0.9"], ["127.0.0.1"]]
        with pytest.raises(SourceUnavailable):
            await stock_of(named, internal_hosts=["db.example"]).check()
        names["db.example"] = [["127.0.0.1"], ["127.0.0.9"]]
        assert (await stock_of(named, internal_hosts=["db.example"]).check()).latency_ms > 0


@pytest.mark.services
@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("postgresql://postgres@/test?host=/run/nobody/there", "/run/nobody/there"),
        ("mysql://root@/test?unix_socket=/run/nobody/there.sock", "/run/nobody/there.sock"),
    ],
)
async def test_a_unix_socket_is_internal(url: str, folder: str) -> None:
    with pytest.raises(ConfigurationError, match="a socket of this machine"):
        await stock_of(url).check()
    with pytest.raises(ConfigurationError, match="a socket of this machine"):
        await probe_endpoint(Business(stock_of(url)), "shop")
    with pytest.raises(SourceError):  # allowed: but nobody is there
        await stock_of(url, internal_hosts=[folder]).check()


async def test_a_file_outside_the_folders_is_not_touched(tmp_path: Path) -> None:
    there = shop_file(tmp_path / "there.db")
    text = tmp_path / "text.db"
    text.write_text("no database")
    told = set()
    for file in (there, text, tmp_path / "missing.db", tmp_path):
        for look in (
            stock_of(f"sqlite:///{file}").check(),
            stock_of(f"sqlite:///{file}").read_snapshot(NOW),
            propose_mapping(f"sqlite:///{file}"),
            probe_endpoint(Business(stock_of(f"sqlite:///{file}")), "shop"),
        ):
            with pytest.raises(ConfigurationError) as caught:
                await look
            told.add(str(caught.value).replace(str(file), "FILE"))
    assert len(told) == 1


async def test_our_own_ledger_is_nobodys_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATA_FOLDERS", str(tmp_path))
    get_settings.cache_clear()
    (tmp_path / "state").mkdir()
    ledger = shop_file(tmp_path / "state" / "ledger.db")
    with pytest.raises(ConfigurationError, match="may not be read"):
        await propose_mapping(f"sqlite:///{ledger}")


async def test_the_business_file_is_the_word_of_whoever_runs_us(tmp_path: Path) -> None:
    async with serve(Reply('{"status": "ok"}')) as server:
        file = tmp_path / "elsewhere" / "business.toml"
        file.parent.mkdir()
        shop_file(tmp_path / "shop.db")
        file.write_text(
            f"""
            [store]
            name = "shop"
            url = "sqlite:///{tmp_path}/shop.db"
            frames.stock = {{ table = "stock", columns = {{ sku = "sku", on_hand = "n" }} }}
            [[suppliers]]
            name = "acme"
            base_url = "{server.url}"
            [[services]]
            name = "till"
            health_url = "{server.url}"
            """
        )
        business = Business.from_toml(file)
        assert business.store
        assert (await business.store.check()).latency_ms > 0
        assert (await business.suppliers[0].check()).ok
        assert (await business.services[0].probe(NOW)).healthy


async def test_a_suppliers_name_on_the_internet_is_not_our_word(
    tmp_path: Path, names: dict[str, list[list[str]]]
) -> None:
    """Who owns the name can let it mean our insides; of our own services nobody else does."""
    file = tmp_path / "business.toml"
    async with serve(Reply("[]")) as server:
        names["shop.example"] = [["127.0.0.1"]]
        address = f"http://shop.example:{server.port}"
        text = f"""
            [[suppliers]]
            name = "acme"
            base_url = "{address}"
            [[services]]
            name = "till"
            health_url = "{address}/health"
            """
        file.write_text(text)
        business = Business.from_toml(file)
        assert (await business.services[0].probe(NOW)).healthy
        with pytest.raises(ConfigurationError, match=REFUSED) as caught:
            await business.suppliers[0].check()
        assert "'shop.example'" in caught.value.hint
        file.write_text(
            text.replace("[[services]]", 'internal_hosts = ["shop.example"]\n[[services]]')
        )
        assert (await Business.from_toml(file).suppliers[0].check()).ok


def test_a_person_may_connect_to_whatever_they_name(tmp_path: Path) -> None:
    file = shop_file(tmp_path / "shop.db")
    assert "1 tables and views" in connected(f"sqlite:///{file}")
    told = connected("postgresql://shop@127.0.0.1:1/shop")
    assert "cannot be read" in told
    assert REFUSED not in told


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u@db.example/shop?local_infile=1",
        "mysql://u@db.example/shop?read_default_file=/etc/my.cnf",
        "mysql://u@db.example/shop?read_default_group=client",
        "mysql://u@db.example/shop?init_command=DROP%20TABLE%20x",
        "mysql://u@db.example/shop?client_flag=128",
        "mysql://u@db.example/shop?host=127.0.0.1",
        "mysql://u@db.example/shop?charset=gbk",
        "mysql://u@db.example/shop?unix_socket=relative",
        "postgresql://u@db.example/shop?hostaddr=127.0.0.1",
        "postgresql://u@db.example/shop?host=127.0.0.1",
        "postgresql://u@db.example/shop?host=/a&host=/b",
        "postgresql://u@db.example/shop?service=x",
        "postgresql://u@db.example/shop?passfile=/etc/shadow",
        "postgresql://u@db.example/shop?options=-c%20x%3D1",
        "postgresql://u@db.example/shop?port=1",
        "postgresql://u@db.example/shop?sslmode=none",
        "sqlite:///shop.db?mode=rwc",
        "sqlite:///shop.db?uri=true",
    ],
)
def test_an_option_that_is_not_on_the_list_is_refused(url: str, tmp_path: Path) -> None:
    for attempt in (
        stock_of(url, internal_hosts=["db.example"]).check(),
        propose_mapping(url),
    ):
        with pytest.raises(ConfigurationError, match="the option '"):
            asyncio.run(attempt)
    file = tmp_path / "business.toml"
    file.write_text(f'[store]\nname = "shop"\nurl = "{url}"\n')
    with pytest.raises(ConfigurationError, match="the option '"):
        Business.from_toml(file)
    assert "the option '" in connected(url)


@pytest.mark.services
async def test_the_options_on_the_list_work(
    postgres_url: str, mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "sslmode=prefer&application_name=ops&target_session_attrs=any"
    for url in (f"{postgres_url}?{options}", f"{mariadb_url}?charset=utf8mb4"):
        look = await stock_of(url, internal_hosts=["127.0.0.1"]).check()
        assert look.latency_ms > 0
    with sql.reading(
        sql.parse_url(f"{postgres_url}?{options}"), 10, Reach(("127.0.0.1",))
    ) as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar() == "ops"


@pytest.mark.services
@pytest.mark.parametrize(
    "option", ["ssl_ca", "ssl_cert", "ssl_key", "sslrootcert", "sslcert", "sslkey"]
)
async def test_certificates_come_from_the_folders(
    option: str, postgres_url: str, mariadb_url: str
) -> None:
    url = mariadb_url if "_" in option else postgres_url
    with pytest.raises(ConfigurationError, match="/etc/shadow may not be read"):
        await stock_of(f"{url}?{option}=/etc/shadow", internal_hosts=["127.0.0.1"]).check()


@pytest.mark.services
async def test_tls_to_mysql_is_checked_when_it_is_asked_for(
    mariadb_url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has no certificate of ours: it is not talked to in the clear instead."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_FOLDERS", str(certificate.parent))
    get_settings.cache_clear()
    for option in (f"ssl_ca={certificate}", "ssl_verify_identity=true"):
        with pytest.raises(SourceUnavailable, match=r"SSL|certificate"):
            await stock_of(f"{mariadb_url}?{option}", internal_hosts=["127.0.0.1"]).check()
    (certificate.parent / "none.pem").write_text("no certificate")
    broken = f"{mariadb_url}?ssl_ca={certificate.parent / 'none.pem'}"
    with pytest.raises(ConfigurationError, match="certificates"):
        await stock_of(broken, internal_hosts=["127.0.0.1"]).check()


async def test_the_sample_needs_no_configuration() -> None:
    """It is read as a file and lives on as blocks, which keep no more than their fields."""
    state = get_settings().state_dir
    folder = open_folder(state)
    async with serve(Reply("[]")) as server:
        access = save_access(folder, "127.0.0.1", server.port)
        database = shop_file(folder / "shop.db")
        file = write_business_file(folder, state, access, f"sqlite:///{database}")
        business = Business.from_toml(file)
        assert business.store
        url = business.store.url.get_secret_value()
        store = StoreDatabase.model_validate(business.store.model_dump() | {"url": url})
        assert (await store.check()).latency_ms > 0
        for supplier in business.suppliers:
            assert supplier.reach.hosts == ("127.0.0.1",)
        for service in business.services:
            named = service.model_dump() | {"health_url": server.url}
            assert (await MonitoredService.model_validate(named).probe(NOW)).healthy
