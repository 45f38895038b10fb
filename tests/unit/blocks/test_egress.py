"""Which addresses and files may be reached, whatever form they are written in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.egress import PERSON, Reach, host_in, is_local_name, is_public, readable_file, resolve
from blocks.errors import ConfigurationError
from blocks.settings import get_settings

NOBODY = Reach()


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ORCHESTRATOR_INTERNAL_HOSTS")
    monkeypatch.delenv("ORCHESTRATOR_DATA_FOLDERS")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def configured(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", value)
    get_settings.cache_clear()


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> list[str]:
    """Let ``name.example`` have these addresses; what was asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        label = str(host).partition(".")[0]
        if label not in addresses:
            return real(host, port, *args, **kwargs)
        asked.append(label)
        return [entry for a in addresses[label] for entry in real(a, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "192.0.0.192", "198.18.0.1", "203.0.113.5", "240.0.0.1", "192.88.99.1"),
        *("224.0.0.1", "239.255.255.250", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::"),
        *("2001:0:7f00:1::", "2001:0:808:808::80ff:fffe", "2001:db8::1", "3fff::1", "100::1"),
    ],
)
def test_an_address_that_is_not_on_the_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "93.184.216.34", "100.63.255.255", "192.0.1.1", "2606:4700::1111"),
        *("::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
    ],
)
def test_an_address_on_the_internet(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"),
        *("0", "0.0.0.0", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "169.254.169.254"),
        *("0xa9fea9fe", "10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
    ],
)
def test_an_internal_host_is_refused_however_it_is_written(host: str) -> None:
    told = set()
    for port in (1, 5432):  # whether anything listens there makes no difference
        with pytest.raises(ConfigurationError, match="internal hosts must be named") as caught:
            resolve(host, port, NOBODY, "supplier 'acme'")
        told.add(str(caught.value))
    (text,) = told
    assert "supplier 'acme' may not be called" in text
    assert "ORCHESTRATOR_INTERNAL_HOSTS" in text
    assert resolve(host, 80, PERSON, "it")


def test_a_name_with_a_public_and_an_internal_address_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(monkeypatch, mixed=["93.184.216.34", "10.0.0.1"], public=["93.184.216.34", "8.8.8.8"])
    with pytest.raises(ConfigurationError, match=r"the internal address 10\.0\.0\.1"):
        resolve("mixed.example", 443, NOBODY, "it")
    assert resolve("public.example", 443, NOBODY, "it") == ["93.184.216.34", "8.8.8.8"]


@pytest.mark.parametrize(
    "named", ["shop.example", "SHOP.example.", "10.1.0.0/16", "10.1.2.3", "10.1.2.3/8"]
)
def test_an_internal_host_is_allowed_by_its_name_address_or_network(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    names(monkeypatch, shop=["10.1.2.3"])
    assert resolve("shop.example", 80, Reach((named,)), "it") == ["10.1.2.3"]
    configured(monkeypatch, internal_hosts=f"other, {named}")
    assert resolve("shop.example", 80, NOBODY, "it") == ["10.1.2.3"]


@pytest.mark.parametrize("named", ["example", "hop.example", "10.2.0.0/16", "::ffff:10.1.2.4"])
def test_nothing_else_is_allowed_by_it(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    names(monkeypatch, shop=["10.1.2.3"])
    with pytest.raises(ConfigurationError):
        resolve("shop.example", 80, Reach((named,)), "it")


def test_a_name_alone_opens_no_way_to_the_keys_of_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, shop=["169.254.169.254"], six=["64:ff9b::a9fe:a9fe"])
    for host in ("shop.example", "six.example"):
        with pytest.raises(ConfigurationError):
            resolve(host, 80, Reach((host,)), "it")
    assert resolve("shop.example", 80, Reach(("169.254.169.254",)), "it")


def test_a_host_that_is_not_there_is_no_fault_of_the_configuration() -> None:
    for host in ("no-such-host.invalid", "a" * 64 + ".example", "a..b"):
        with pytest.raises(socket.gaierror):
            resolve(host, 80, NOBODY, "it")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("db", "localhost", "10.0.0.1", "127.1", "::1", "2130706433")),
        *((host, True) for host in ("db.internal", "DB.Local.", "nas.home.arpa", "x.lan")),
        *(
            (host, False)
            for host in ("api.example.com", "localhost.example.com", "10.0.0.1.nip.io")
        ),
    ],
)
def test_a_name_that_can_only_be_internal(host: str, local: bool) -> None:
    assert is_local_name(host) is local


def test_the_host_of_an_address() -> None:
    assert host_in("https://user@[::1]:8080/x") == "::1"
    assert host_in("https://bücher.example/x") == "xn--bcher-kva.example"
    assert [host_in(url) for url in (None, "", "http://[::1", "x")] == [""] * 4


@pytest.mark.parametrize("value", ["http://db", "db:5432", "*.corp", "a b", "user@db"])
def test_a_list_of_hosts_is_checked(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    configured(monkeypatch, internal_hosts=value)
    with pytest.raises(ConfigurationError, match="ORCHESTRATOR_INTERNAL_HOSTS"):
        get_settings()


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``data`` is configured, ``state`` is our own, ``home`` is neither."""
    for name in ("data", "state/sample", "home"):
        (tmp_path / name).mkdir(parents=True)
    configured(
        monkeypatch, data_folders=f"{tmp_path / 'data'}, /nowhere", state_dir=f"{tmp_path}/state"
    )
    return tmp_path


def test_files_below_the_folders_may_be_read(folders: Path) -> None:
    for name in ("data/shop.db", "data/new/../shop.db", "state/sample/shop.db"):
        assert readable_file(folders / name, NOBODY) == (folders / name).resolve()


def test_files_elsewhere_may_not_and_nothing_tells_what_is_there(folders: Path) -> None:
    (folders / "home" / "secret").write_text("canary")
    (folders / "home" / "locked").mkdir(mode=0)
    (folders / "data" / "link").symlink_to(folders / "home" / "secret")
    for name in (
        *("home/secret", "home/missing", "home/locked/x", "home", "data/link", "\0"),
        *("data/../home/secret", "data-2/x", "state/ledger.db", "state/sample/../receipts.key"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            readable_file(folders / name, NOBODY)
        told = f"The file {folders / name} may not be read: it lies in none of the configured"
        assert str(caught.value).startswith(told)
        assert readable_file(folders / name, Reach(any_file=True)) is not None


def test_our_own_files_are_not_read_though_their_folder_is_configured(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(monkeypatch, business_file=str(folders / "shop.toml"))  # the state lies beside it
    assert readable_file(folders / "shop.db", NOBODY)
    with pytest.raises(ConfigurationError):
        readable_file(folders / "state" / "receipts.key", NOBODY)
