"""Pages of a partner on loopback: all of them in their order, or an error in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.egress import PERSON
from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.partners.memory import OwnMemory
from blocks.partners.paging import Paging
from blocks.partners.partner import Partner
from tests.integration.blocks.partners.clocks import Fast
from tests.loopback import Loopback, Reply, Request, serve

ROWS = [{"sku": f"A-{n}"} for n in range(25)]


def page(rows: list[dict[str, str]], **more: Any) -> Reply:
    return Reply(json.dumps({"items": rows, **more}))


async def read(server: Loopback, paging: Paging, path: str = "/items?live=1") -> list[str]:
    """The articles of all pages, as a caller collects them."""
    partner = Partner("supplier 'acme'", reach=PERSON, timeout=5, memory=OwnMemory())
    skus = []
    async for answer in partner.pages(
        server.url + path, paging, records_path="items", headers={"Authorization": "Bearer c"}
    ):
        skus += [row["sku"] for row in answer.json()["items"]]
    assert all(r.headers["authorization"] == "Bearer c" for r in server.requests)
    return skus


ALL = [row["sku"] for row in ROWS]


def by_offset(request: Request) -> Reply:
    """Ten rows at most, whatever is asked for."""
    start = int(request.query.get("offset", 0))
    return page(ROWS[start : start + 10], total=25)


def by_page(request: Request) -> Reply:
    start = (int(request.query["page"]) - 1) * 10
    return page(ROWS[start : start + 10])


def by_cursor(request: Request) -> Reply:
    start = int(request.query.get("after", "0"))
    following = start + 10 if start + 10 < 25 else None
    return page(ROWS[start : start + 10], meta={"next": following})


def by_address(request: Request) -> Reply:
    start = int(request.query.get("start", "0"))
    following = f"/items?live=1&start={start + 10}" if start + 10 < 25 else None
    return page(ROWS[start : start + 10], next=following)


def by_link(request: Request) -> Reply:
    start = int(request.query.get("start", "0"))
    link = f'<?live=1&start={start + 10}>; title="a, b"; rel="last next", </x>; rel=first'
    headers = {"Link": link if start + 10 < 25 else '</items>; rel="prev"', "X-Total-Count": "25"}
    return Reply(json.dumps({"items": ROWS[start : start + 10]}), headers=headers)


@pytest.mark.parametrize(
    ("answer", "paging", "calls"),
    [
        (by_offset, Paging(style="offset", size_parameter="limit"), 4),
        (by_offset, Paging(style="offset", total_path="total"), 3),
        (by_page, Paging(style="page"), 4),
        (by_cursor, Paging(style="cursor", parameter="after", next_path="meta.next"), 3),
        (by_address, Paging(style="next", next_path="next"), 3),
        (by_link, Paging(style="link"), 3),
    ],
)
async def test_all_pages_come_in_their_order(
    answer: Callable[[Request], Reply], paging: Paging, calls: int
) -> None:
    async with serve(answer) as server:
        assert await read(server, paging) == ALL
    assert len(server.requests) == calls
    assert all(request.query["live"] == "1" for request in server.requests)


async def test_the_size_of_a_page_is_asked_for() -> None:
    async with serve(by_offset) as server:
        await read(server, Paging(style="offset", size_parameter="limit", size=7))
    assert {request.query["limit"] for request in server.requests} == {"7"}


async def test_pages_of_what_is_no_json_are_followed_by_link() -> None:
    def csv(request: Request) -> Reply:
        link = {} if request.query else {"Link": '<?p=2>; rel="next"', "X-Total-Count": "9"}
        return Reply("sku\nA-1\n", content_type="text/csv", headers=link)

    async with serve(csv) as server:
        partner = Partner("it", reach=PERSON, timeout=5, memory=OwnMemory())
        pages = [answer async for answer in partner.pages(server.url, Paging(style="link"))]
    assert len(pages) == 2


def linked(target: str) -> Callable[[Request], Reply]:
    return lambda _: Reply('{"items": []}', headers={"Link": f"<{target}>; rel=next"})


@pytest.mark.parametrize(
    ("answer", "paging", "error", "says"),
    [
        (
            linked("http://169.254.169.254/latest"),
            {"style": "link"},
            SourceGarbled,
            "another server",
        ),
        (linked("https://127.0.0.1/x"), {"style": "link"}, SourceGarbled, "another server"),
        (linked("//evil.example/x"), {"style": "link"}, SourceGarbled, "another server"),
        (linked("file:///etc/passwd"), {"style": "link"}, SourceGarbled, "another server"),
        (linked("http://[::1"), {"style": "link"}, SourceGarbled, "no address"),
        (linked(""), {"style": "link"}, None, ""),
        (linked("?x=1"), {"style": "link"}, SourceGarbled, "circle: after page 2"),
        (
            lambda _: page(ROWS[:2], c="same"),
            {"style": "cursor", "next_path": "c"},
            SourceGarbled,
            "goes in a circle",
        ),
        (lambda _: page(ROWS[:2]), {"style": "page"}, SourceGarbled, "sends page 2 as it sent"),
        (lambda _: page(ROWS[:2]), {"style": "offset"}, SourceGarbled, "sends page 2 as it sent"),
        (
            lambda _: page(ROWS[:2], c=[1]),
            {"style": "cursor", "next_path": "c"},
            SourceGarbled,
            "no text at 'c'",
        ),
        (
            lambda r: page(ROWS[:10] if r.query["offset"] == "0" else []),
            {"style": "offset", "total_path": "total"},
            None,
            "",
        ),
        (
            lambda r: page(ROWS[:10] if r.query["offset"] == "0" else [], total=4213),
            {"style": "offset", "total_path": "total"},
            SourceGarbled,
            "names 4,213 in all, and 10 rows were read",
        ),
        (
            lambda _: page(ROWS[:5], total=3),
            {"style": "offset", "total_path": "total"},
            SourceGarbled,
            "names 3 in all, and 5 rows were read",
        ),
        (
            lambda _: Reply('{"items": []}', headers={"X-Total-Count": "7"}),
            {"style": "link"},
            SourceGarbled,
            "names 7 in all, and 0 rows",
        ),
        (
            lambda _: page([], total="many"),
            {"style": "page", "total_path": "total"},
            SourceGarbled,
            "total that is no number: 'many'",
        ),
        (by_page, {"style": "page", "max_pages": 2}, SourceGarbled, "more than 2 pages"),
        (by_page, {"style": "page", "max_rows": 15}, SourceGarbled, "more than 15 rows"),
        (by_page, {"style": "page", "max_bytes": 300}, SourceGarbled, "more than 300 bytes"),
        (
            lambda _: Reply("<html>Please log in</html>", content_type="text/html"),
            {"style": "page"},
            SourceGarbled,
            "text/html, beginning '<html>Please log in",
        ),
        (lambda _: Reply("[" * 100_000), {"style": "page"}, SourceGarbled, "not read as JSON"),
        (lambda _: Reply('{"rows": []}'), {"style": "page"}, SourceGarbled, "no list at 'items'"),
        (
            lambda r: by_page(r) if r.query["page"] == "1" else Reply(status=404),
            {"style": "page"},
            SourceRefused,
            "HTTP 404",
        ),
        (
            lambda r: by_page(r) if r.query["page"] == "1" else Reply(status=503),
            {"style": "page"},
            SourceUnavailable,
            "HTTP 503",
        ),
        (by_page, {"style": "page", "max_seconds": 1e-9}, SourceTimeout, "pages within 1e-09 s: 0"),
    ],
)
async def test_what_are_not_all_pages_is_an_error(
    answer: Callable[[Request], Reply],
    paging: dict[str, Any],
    error: type[OrchestratorError] | None,
    says: str,
) -> None:
    async with serve(answer) as server:
        if error is None:
            await read(server, Paging(**paging))
        else:
            with pytest.raises(error, match=says):
                await read(server, Paging(**paging))
    assert len(server.requests) <= 5


async def test_a_page_that_fails_once_is_asked_for_again() -> None:
    failed: list[str] = []

    def flaky(request: Request) -> Reply:
        if request.query["page"] not in failed:
            failed.append(request.query["page"])
            return Reply(status=502)
        return by_page(request)

    async with serve(flaky) as server:
        assert await read(server, Paging(style="page")) == ALL


async def test_a_limit_that_comes_between_two_pages_is_waited_for() -> None:
    clock, told = Fast(), {"RateLimit": '"a";r=0;t=50'}

    def limited(request: Request) -> Reply:
        return replace(by_page(request), headers=told if request.query["page"] == "1" else {})

    partner = Partner("it", reach=PERSON, timeout=5, memory=OwnMemory(), clock=clock)
    async with serve(limited) as server:
        walk = partner.pages(server.url, Paging(style="page"), records_path="items")
        assert len([answer async for answer in walk]) == 4
    assert clock.slept == [pytest.approx(50, abs=0.01)]


async def test_a_first_page_elsewhere_than_at_a_web_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an http or https URL"):
        await read(Loopback(by_page), Paging(style="page"), path="\0")


@pytest.mark.parametrize("slip", [{"style": "next"}, {"style": "pages"}, {"style": "page", "x": 1}])
def test_a_slip_in_the_configuration_is_told(slip: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Paging(**slip)
