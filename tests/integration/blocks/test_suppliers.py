"""Suppliers that differ in format, authentication and honesty."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from blocks.business.suppliers import SupplierConnection
from blocks.errors import (
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.partners.call import ATTEMPTS
from blocks.vocabulary.frames import OFFERS
from tests.loopback import HANG, Loopback, Reply, serve

NOW = datetime(2024, 6, 30, 9, 0, tzinfo=UTC)
CANARY = "canary-51aa"
JSON = json.dumps(
    {
        "data": {
            "items": [
                {"code": "A1", "price": {"net": "1.20"}, "days": 3, "moq": 10},
                {"code": 17, "price": {"net": 2}, "days": 3, "moq": 5},
            ]
        }
    }
)
CSV = "\ufeffPart;Cost;Days;Minimum\nA1;1.20;3;10\n17;2;3;5\n"
XML = """<?xml version="1.0"?><c:catalogue xmlns:c="urn:x"><c:list>
<c:item no="A1"><c:cost>1.20</c:cost><c:terms><c:days>3</c:days><c:min>10</c:min></c:terms></c:item>
<c:item no="17"><c:cost>2</c:cost><c:terms><c:days>3</c:days><c:min>5</c:min></c:terms></c:item>
</c:list></c:catalogue>"""
SHAPES: dict[str, dict[str, Any]] = {
    "json": {
        "records_path": "data.items",
        "columns": {
            "sku": "code",
            "unit_cost": "price.net",
            "lead_time_days": "days",
            "min_order_units": "moq",
        },
    },
    "csv": {
        "columns": {
            "sku": "Part",
            "unit_cost": "Cost",
            "lead_time_days": "Days",
            "min_order_units": "Minimum",
        }
    },
    "xml": {
        "records_path": "list/item",
        "columns": {
            "sku": "@no",
            "unit_cost": "cost",
            "lead_time_days": "terms/days",
            "min_order_units": "terms/min",
        },
    },
}


def supplier(server: Loopback, kind: str = "json", **changes: Any) -> SupplierConnection:
    return SupplierConnection(
        name="acme",
        base_url=server.url,
        **{"format": kind, "timeout": 5, **SHAPES[kind], **changes},
    )


@pytest.mark.parametrize(
    ("kind", "body", "content_type"),
    [
        ("json", JSON, "application/json"),
        ("csv", CSV, "text/csv; charset=utf-8"),
        ("xml", XML, "application/xml"),
        ("xml", XML.replace("?>", ' encoding="utf-16"?>', 1).encode("utf-16"), "application/xml"),
    ],
)
async def test_three_formats_become_the_same_offers(
    kind: str, body: str | bytes, content_type: str
) -> None:
    async with serve(Reply(body, content_type=content_type)) as server:
        answer = await supplier(server, kind).fetch_offers(NOW)
    assert answer.frame.to_dict("records") == [
        {
            "supplier": "acme",
            "sku": "A1",
            "unit_cost": 1.2,
            "lead_time_days": 3.0,
            "min_order_units": 10.0,
        },
        {
            "supplier": "acme",
            "sku": "17",
            "unit_cost": 2.0,
            "lead_time_days": 3.0,
            "min_order_units": 5.0,
        },
    ]
    OFFERS.validate(answer.frame)
    assert (answer.rows, answer.status, answer.problems) == (2, 200, [])
    assert answer.fetched_at == NOW
    assert answer.clock_skew_s == pytest.approx(0, abs=2)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"auth": "api-key"}, "x-api-key", CANARY),
        ({"auth": "api-key", "api_key_header": "X-Token"}, "x-token", CANARY),
        ({"auth": "bearer"}, "authorization", f"Bearer {CANARY}"),
        (
            {"auth": "basic", "username": "us"},
            "authorization",
            "Basic " + base64.b64encode(f"us:{CANARY}".encode()).decode(),
        ),
    ],
)
async def test_it_is_told_who_we_are(auth: dict[str, str], header: str, value: str) -> None:
    async with serve(Reply(JSON)) as server:
        await supplier(server, credential=SecretStr(CANARY), **auth).fetch_offers(NOW)
    assert server.requests[0].headers[header] == value


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (
            Reply("<html><h1>Down for maintenance", content_type="text/html; charset=utf-8"),
            SourceGarbled,
            r"JSON catalogue: cannot be parsed \(text/html, 30 bytes, beginning '<html><h1>Down",
        ),
        (Reply(""), SourceGarbled, "cannot be parsed"),
        (Reply("[" * 100_000), SourceGarbled, "cannot be parsed"),
        (Reply('{"data": {"items": {"a": 1}}}'), SourceGarbled, "'data.items' is no list"),
        (Reply('{"items": []}'), SourceGarbled, "it has no 'data.items'"),
        (
            Reply('{"data": {"items": [{"code": "A1", "days": 1, "moq": 1}]}}'),
            SourceGarbled,
            "missing column unit_cost",
        ),
        (Reply(status=401), SourceRefused, "refused our credentials"),
        (Reply(status=403), SourceRefused, "refused our credentials"),
        (Reply("oops", status=500), SourceUnavailable, "HTTP 500"),
        (HANG, SourceTimeout, "no complete answer within 0.3 s"),
        (Reply(JSON, pause=0.05), SourceTimeout, "no complete answer within 0.3 s"),
    ],
)
async def test_anything_but_a_catalogue_is_told_apart(
    reply: Reply, error: type[OrchestratorError], says: str
) -> None:
    async with serve(reply) as server:
        connection = supplier(server, auth="bearer", credential=SecretStr(CANARY), timeout=0.3)
        with pytest.raises(error, match=says) as caught:
            await connection.fetch_offers(NOW)
    assert "supplier 'acme'" in str(caught.value)
    assert CANARY not in str(caught.value)


BILLION_LAUGHS = """<?xml version="1.0"?><!DOCTYPE c [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>
<catalogue><list><item no="&b;"/></list></catalogue>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_xml_with_entities_is_refused(encoding: str) -> None:
    body = BILLION_LAUGHS.replace('"1.0"', f'"1.0" encoding="{encoding}"').encode(encoding)
    async with serve(Reply(body, content_type="application/xml")) as server:
        with pytest.raises(SourceGarbled, match="declares a DOCTYPE, which is refused"):
            await supplier(server, "xml").fetch_offers(NOW)


@pytest.mark.parametrize("kind", ["csv", "xml"])
async def test_html_is_no_csv_and_no_xml_catalogue(kind: str) -> None:
    reply = Reply("<html><body><p>Sign in</p><br></body></html>", content_type="text/html")
    async with serve(reply) as server:
        with pytest.raises(SourceGarbled, match=r"\(text/html, 44 bytes, beginning '<html>"):
            await supplier(server, kind).fetch_offers(NOW)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("csv", 'Part;Cost;Days;Minimum\n"A"1;1;1;1\n'),
        ("csv", f"Part;Cost;Days;Minimum\n{'A' * 200_000};1;1;1\n"),
        ("xml", '<?xml version="1.0" encoding="klingon"?><catalogue/>'),
    ],
    ids=["a quote inside a field", "an endless field", "an unknown encoding"],
)
async def test_what_its_format_does_not_allow_cannot_be_parsed(kind: str, body: str) -> None:
    async with serve(Reply(body)) as server:
        with pytest.raises(SourceGarbled, match=f"{kind.upper()} catalogue: cannot be parsed"):
            await supplier(server, kind).fetch_offers(NOW)


async def test_numbers_beyond_reason_and_nested_values_cost_their_row_only() -> None:
    good = {"code": "A1", "price": {"net": 1}, "days": 3, "moq": 10}
    rows = [good, good | {"price": {"net": 10**400}}, good | {"price": {"net": [1, 2]}}]
    async with serve(Reply(json.dumps({"data": {"items": rows}}))) as server:
        answer = await supplier(server).fetch_offers(NOW)
    assert (answer.rows, len(answer.frame)) == (3, 1)
    assert {p.reason for p in answer.problems} == {"out of range", "empty or unreadable"}


async def test_bad_rows_are_set_aside_and_the_rest_is_used() -> None:
    rows = "A1;1.20;3;10\nB2;on request;3;10\nC3;-5;3;10\n;1;1;1\n"
    async with serve(Reply("Part;Cost;Days;Minimum\n" + rows)) as server:
        answer = await supplier(server, "csv").fetch_offers(NOW)
    assert (answer.rows, answer.frame["sku"].tolist()) == (4, ["A1"])
    assert {(p.column, p.rows, p.example) for p in answer.problems} >= {
        ("unit_cost", 1, "on request"),
        ("unit_cost", 1, "-5"),
    }


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("json", '{"data": {"items": []}}'),
        ("csv", "Part;Cost;Days;Minimum\n"),
        ("xml", "<catalogue><list/></catalogue>"),
    ],
)
async def test_an_empty_catalogue_is_a_problem_and_not_a_failure(kind: str, body: str) -> None:
    async with serve(Reply(body)) as server:
        answer = await supplier(server, kind).fetch_offers(NOW)
    assert answer.frame.empty
    OFFERS.validate(answer.frame)
    assert "empty catalogue" in str(answer.problems[0])


async def test_agreed_values_fill_what_the_catalogue_does_not_carry() -> None:
    body = "Part,Cost,Days\nA1,2,\nB2,3,9\n"
    async with serve(Reply(body)) as server:
        connection = supplier(server, "csv", defaults={"lead_time_days": 5, "min_order_units": 1})
        answer = await connection.fetch_offers(NOW)
    assert answer.frame["lead_time_days"].tolist() == [5, 9]
    assert answer.frame["min_order_units"].tolist() == [1, 1]


async def test_packs_currency_and_unit_come_from_the_catalogue_or_are_agreed() -> None:
    body = "Part,Cost,Days,Minimum,Pack,Money\nA1,2,3,4,12,USD\nB2,3,9,1,,\n"
    columns = {"sku": "Part", "unit_cost": "Cost", "lead_time_days": "Days"}
    columns |= {"min_order_units": "Minimum", "pack_units": "Pack", "currency": "Money"}
    async with serve(Reply(body)) as server:
        connection = supplier(
            server,
            "csv",
            columns=columns,
            defaults={"currency": "EUR", "unit": "piece", "pack_units": 6},
        )
        answer = await connection.fetch_offers(NOW)
    OFFERS.validate(answer.frame)
    assert answer.frame["pack_units"].tolist() == [12, 6]
    assert answer.frame["currency"].tolist() == ["USD", "EUR"]
    assert answer.frame["unit"].tolist() == ["piece", "piece"]


async def test_the_cheap_check_asks_for_health_where_there_is_such_a_path() -> None:
    async with serve(Reply(JSON)) as server:
        await supplier(server, health_path="/health", catalogue_path="v1/all").check()
        await supplier(server, catalogue_path="v1/all").check()
    assert [request.path for request in server.requests] == ["/health", "/v1/all"]


def test_a_connection_that_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="auth 'bearer' needs a credential"):
        SupplierConnection(name="acme", base_url="http://x", auth="bearer")
    with pytest.raises(ValidationError, match="'price': offers have only supplier, sku"):
        SupplierConnection(name="acme", base_url="http://x", columns={"price": "p"})
    with pytest.raises(ValidationError, match=r"defaults.currency is a text"):
        SupplierConnection(name="acme", base_url="http://x", defaults={"currency": 5})
    with pytest.raises(ValidationError, match=r"defaults.pack_units is a number"):
        SupplierConnection(name="acme", base_url="http://x", defaults={"pack_units": "six"})
    for path in ("/catalogue/item", "item["):
        with pytest.raises(ValidationError, match="is no element path"):
            SupplierConnection(name="acme", base_url="http://x", format="xml", records_path=path)


async def test_a_look_is_a_single_request_whatever_is_known_of_the_supplier() -> None:
    async with serve(Reply(status=503)) as server:
        acme = supplier(server, "json")
        for _ in range(12):
            with pytest.raises(SourceUnavailable, match="HTTP 503"):
                await acme.check()
            with pytest.raises(SourceUnavailable, match="HTTP 503"):
                await acme.look_at_offers(NOW)
        assert len(server.requests) == 24
        with pytest.raises(SourceUnavailable, match="HTTP 503"):
            await acme.fetch_offers(NOW)  # of whose breaker they say nothing
    assert len(server.requests) == 24 + ATTEMPTS


async def test_a_catalogue_is_read_in_the_charset_that_it_is_in() -> None:
    text = "Part;Cost;Days;Minimum\nÄ1;1,20;3;10\n"
    reply = Reply(text.encode("cp1252"), content_type="text/csv; charset=ISO-8859-1")
    async with serve(reply) as server:
        answer = await supplier(server, "csv").fetch_offers(NOW)
    assert list(answer.frame["sku"]) == ["Ä1"]


async def test_a_character_that_cannot_be_read_costs_its_row_and_is_told() -> None:
    body = b"Part;Cost;Days;Minimum\n\xc41;1,20;3;10\nB2;1,30;3;10\n"
    async with serve(Reply(body, content_type="text/csv")) as server:
        answer = await supplier(server, "csv").fetch_offers(NOW)
    assert list(answer.frame["sku"]) == ["B2"]
    assert "bytes that are no text of its charset" in answer.problems[0].reason
