"""Catalogues as real suppliers send them: every figure as it is meant, or refused in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from blocks.business.catalogues.answers import SupplierAnswer
from blocks.business.suppliers import SupplierConnection
from blocks.errors import SourceGarbled
from blocks.vocabulary.frames import OFFERS
from tests.loopback import Loopback, Reply, Request, serve

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
GERMAN = {
    "sku": "Artikel",
    "unit_cost": "EK",
    "lead_time_days": "Tage",
    "min_order_units": "Min",
}
TERMS = {"lead_time_days": 3, "min_order_units": 1}


def supplier(server: Loopback, **changes: Any) -> SupplierConnection:
    return SupplierConnection(name="acme", base_url=server.url, **changes)


async def fetched(reply: Reply, **changes: Any) -> SupplierAnswer:
    async with serve(reply) as server:
        answer = await supplier(server, **changes).fetch_offers(NOW)
    OFFERS.validate(answer.frame)
    return answer


def costs(answer: SupplierAnswer) -> dict[str, float]:
    return dict(zip(answer.frame["sku"], answer.frame["unit_cost"], strict=True))


def rows(*some: dict[str, Any], **more: Any) -> str:
    return json.dumps([TERMS | more | row for row in some])


# ------------------------------------------------------------------ text

UMLAUTS = "Artikel;EK;Tage;Min\nMÜ-100;12,50;5;10\nKÖ-7;1.234,00;9;1\nBA-1;1.250;9;1\nSE-2;3,9;2;\n"
AS_XML = "<articles><article no='MÜ-100'><cost>12.50</cost></article></articles>"
XML_SHAPE = {
    "format": "xml",
    "records_path": "article",
    "columns": {"sku": "@no", "unit_cost": "cost"},
    "defaults": TERMS,
}


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("cp1252", "text/csv; charset=windows-1252"),
        ("cp1252", 'text/csv; charset="ISO-8859-1"'),
        ("utf-8", "text/csv"),
        ("utf-8", "text/csv; charset=iso-8859-1"),
        ("utf-8-sig", "text/csv; charset=windows-1252"),
        ("utf-16", "text/csv"),
        ("utf-16", "text/csv; charset=utf-8"),
        ("utf-16-le", "text/csv; charset=utf-16le"),
    ],
)
async def test_a_column_with_decimal_commas_is_one_and_its_skus_keep_their_letters(
    encoding: str, content_type: str
):
    reply = Reply(UMLAUTS.encode(encoding), content_type=content_type)
    answer = await fetched(reply, format="csv", columns=GERMAN, defaults={"min_order_units": 1})
    assert costs(answer) == {"MÜ-100": 12.5, "KÖ-7": 1234.0, "BA-1": 1250.0, "SE-2": 3.9}
    assert answer.problems == []


@pytest.mark.parametrize(
    ("body", "content_type", "changes"),
    [
        (AS_XML.encode("cp1252"), "application/xml; charset=windows-1252", XML_SHAPE),
        (
            b'<?xml version="1.0" encoding="windows-1252"?>' + AS_XML.encode("cp1252"),
            "application/xml",
            XML_SHAPE,
        ),
        (AS_XML.encode("cp1252"), "application/xml", XML_SHAPE | {"charset": "cp1252"}),
        (
            rows({"sku": "MÜ-100", "unit_cost": 12.5})
            .encode()
            .decode("unicode_escape")
            .encode("cp1252"),
            "application/json; charset=windows-1252",
            {},
        ),
        (
            json.dumps([TERMS | {"sku": "MÜ-100", "unit_cost": 12.5}], ensure_ascii=False).encode(
                "utf-16"
            ),
            "application/json",
            {},
        ),
    ],
)
async def test_the_charset_of_xml_and_json_is_honoured_too(
    body: bytes, content_type: str, changes: dict[str, Any]
):
    assert costs(await fetched(Reply(body, content_type=content_type), **changes)) == {
        "MÜ-100": 12.5
    }


async def test_bytes_that_nobody_can_read_cost_their_row_and_are_told():
    reply = Reply(UMLAUTS.encode("cp1252"), content_type="text/csv")
    answer = await fetched(reply, format="csv", columns=GERMAN, defaults={"min_order_units": 1})
    assert costs(answer) == {"BA-1": 1250.0, "SE-2": 3.9}
    assert "State charset on its connection" in answer.problems[0].reason
    assert [(p.column, p.rows) for p in answer.problems[1:]] == [("sku", 2)]


async def test_who_says_latin_1_may_send_a_euro_sign():
    body = b"sku,unit_cost,lead_time_days,min_order_units,unit\nA-\x80,1,3,1,St\xfcck\n"
    answer = await fetched(Reply(body, content_type="text/csv; charset=latin1"), format="csv")
    assert (answer.frame["sku"].tolist(), answer.frame["unit"].tolist()) == (["A-€"], ["Stück"])


@pytest.mark.parametrize("charset", ["klingon", "zip", "x" * 300])
async def test_a_charset_that_nobody_knows_is_named(charset: str):
    with pytest.raises(SourceGarbled, match=f"nobody knows its charset '{charset[:40]}'"):
        await fetched(Reply("a", content_type=f"text/csv; charset={charset}"), format="csv")
    with pytest.raises(ValidationError, match="nobody knows the charset"):
        SupplierConnection(name="acme", base_url="http://x", charset=charset)


async def test_a_file_for_excel_is_read_in_its_own_charset_with_its_own_separator():
    text = "sep=;\r\nsku;unit_cost;lead_time_days;min_order_units\r\n"
    text += "00123;4,20;3;6\r\n00124;4.80;3;6\r\n"
    reply = Reply(text.encode("utf-16"), content_type="text/csv; charset=utf-16")
    assert costs(await fetched(reply, format="csv")) == {"00123": 4.2, "00124": 4.8}


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("kind", ["csv", "json", "xml"])
async def test_a_column_of_which_nobody_knows_the_decimal_mark_is_refused(kind: str):
    pairs = [("A", "1.250"), ("B", "2.500")]
    bodies = {
        "csv": "sku,unit_cost\nA,1.250\nB,2.500\n",
        "json": json.dumps([{"sku": sku, "unit_cost": cost} for sku, cost in pairs]),
        "xml": "<r><a><sku>A</sku><unit_cost>1.250</unit_cost></a>"
        "<a><sku>B</sku><unit_cost>2.500</unit_cost></a></r>",
    }
    answer = await fetched(Reply(bodies[kind]), format=kind, defaults=TERMS)
    assert costs(answer) == {}
    (problem,) = answer.problems
    assert (problem.column, problem.rows) == ("unit_cost", 2)
    assert "could be a thousand or a decimal" in problem.reason
    told = await fetched(Reply(bodies[kind]), format=kind, defaults=TERMS, decimal_mark=",")
    assert costs(told) == {"A": 1250, "B": 2500}


@pytest.mark.parametrize(
    ("quantity", "cost"),
    [
        (100, 0.024),
        ("per 100", 0.024),
        ("1000 pcs", 0.0024),
        ("thousand", 0.0024),
        (1, 2.4),
        ("", 2.4),
    ],
)
async def test_a_price_per_hundred_is_one(quantity: int | str, cost: float):
    row = {"code": "SCREW-5", "price": 2.40, "price_quantity": quantity}
    columns = {"sku": "code", "unit_cost": "price", "price_units": "price_quantity"}
    answer = await fetched(Reply(json.dumps([row])), columns=columns, defaults=TERMS)
    assert costs(answer) == {"SCREW-5": cost}


@pytest.mark.parametrize("quantity", ["2 x 50", "a box", 0, -5, 0.5, "per 1.000", True])
async def test_a_price_for_who_knows_how_many_is_refused(quantity: Any):
    body = rows({"sku": "A", "unit_cost": 2.4, "price_units": quantity})
    answer = await fetched(Reply(body))
    assert costs(answer) == {}
    assert answer.problems[0].column == "price_units"


async def test_all_prices_of_a_supplier_may_be_for_a_hundred():
    body = rows({"sku": "A", "unit_cost": 2.4})
    assert costs(await fetched(Reply(body), defaults={"price_units": 100})) == {"A": 0.024}


async def test_gross_prices_become_net():
    body = rows({"sku": "A", "unit_cost": 11.9})
    assert costs(await fetched(Reply(body), prices="gross", tax_rate="0.19")) == {"A": 10.0}
    assert costs(await fetched(Reply(body), prices="net", tax_rate="0.19")) == {"A": 11.9}
    for wrong in ({"prices": "gross"}, {"tax_rate": 0.19}, {"prices": "gross", "tax_rate": 19}):
        with pytest.raises(ValidationError, match="tax_rate"):
            SupplierConnection(name="acme", base_url="http://x", **wrong)


async def test_each_price_names_its_currency():
    some = ("eur", "€", "USD", None, "")
    body = rows(*({"sku": f"S{n}", "unit_cost": 1, "currency": c} for n, c in enumerate(some)))
    answer = await fetched(Reply(body), terms={"currency": "CHF"})
    assert answer.frame["currency"].tolist() == ["EUR", "EUR", "USD", "CHF", "CHF"]
    answer = await fetched(Reply(rows({"sku": "A", "unit_cost": 1})), terms={"currency": "USD"})
    assert answer.frame["currency"].tolist() == ["USD"]


# ------------------------------------------------------------------ availability


async def test_what_a_supplier_has_is_counted_or_not_told():
    told = (12, "7", ">100", "50+", -3, "-3", True, False, "plenty", None, "1.5e2")
    body = rows(
        *({"sku": f"S{n}", "unit_cost": 1, "available_units": t} for n, t in enumerate(told))
    )
    answer = await fetched(Reply(body))
    units = [None if u != u else u for u in answer.frame["available_units"]]
    assert units == [12, 7, 100, 50, 0, 0, None, 0, None, None, 150]
    (problem,) = answer.problems
    assert (problem.column, problem.example, problem.kept) == ("available_units", "plenty", True)


# ------------------------------------------------------------------ price steps

STEPS = [(0.0, 3.2), (48.0, 2.9), (480.0, 2.1)]


def steps_of(answer: SupplierAnswer) -> list[tuple[float, float]]:
    return list(zip(answer.frame["from_units"], answer.frame["unit_cost"], strict=True))


async def test_rows_for_larger_orders_are_price_steps():
    some = [
        {"sku": "CUP", "unit_cost": c, "min_order_units": m}
        for m, c in ((480, 2.1), (1, 3.2), (48, 2.9))
    ]
    answer = await fetched(Reply(rows(*some, {"sku": "OTHER", "unit_cost": 5})))
    cup = answer.frame[answer.frame["sku"] == "CUP"].sort_values("from_units")
    assert cup["from_units"].tolist() == [1, 48, 480]
    assert cup["unit_cost"].tolist() == [3.2, 2.9, 2.1]
    assert set(cup["min_order_units"]) == {1}
    assert answer.frame.loc[answer.frame["sku"] == "OTHER", "from_units"].tolist() == [0]


async def test_rows_that_contradict_each_other_are_no_steps():
    some = [{"sku": "CUP", "unit_cost": c, "min_order_units": m} for m, c in ((1, 3.2), (48, 3.9))]
    answer = await fetched(Reply(rows(*some)))
    assert answer.frame["min_order_units"].tolist() == [1, 48]


@pytest.mark.parametrize(
    ("kind", "body", "steps"),
    [
        (
            "csv",
            "sku;unit_cost;ab_2;preis_2;preis_480\nCUP;3,20;48;2,90;2,10\nONE;1,00;;;\n",
            [
                {"from_units": "ab_2", "unit_cost": "preis_2"},
                {"from_units": 480, "unit_cost": "preis_480"},
            ],
        ),
        (
            "json",
            json.dumps(
                [
                    {
                        "sku": "CUP",
                        "unit_cost": 3.2,
                        "more": [{"from": 48, "net": 2.9}, {"from": 480, "net": 2.1}],
                    },
                    {"sku": "ONE", "unit_cost": 1.0, "more": []},
                ]
            ),
            [
                {"from_units": "more.0.from", "unit_cost": "more.0.net"},
                {"from_units": "more.1.from", "unit_cost": "more.1.net"},
            ],
        ),
        (
            "xml",
            "<r><a><sku>CUP</sku><unit_cost>3.2</unit_cost><step from='48'>2.9</step>"
            "<step from='480'>2.1</step></a><a><sku>ONE</sku><unit_cost>1</unit_cost></a></r>",
            [
                {"from_units": "step[1]/@from", "unit_cost": "step[1]"},
                {"from_units": "step[2]/@from", "unit_cost": "step[2]"},
            ],
        ),
    ],
)
async def test_steps_may_stand_in_one_row(kind: str, body: str, steps: list[dict[str, Any]]):
    answer = await fetched(Reply(body), format=kind, price_steps=steps, defaults=TERMS)
    frame = answer.frame.assign(from_units=answer.frame["from_units"].fillna(0))
    cup = frame[frame["sku"] == "CUP"]
    assert list(zip(cup["from_units"], cup["unit_cost"], strict=True)) == STEPS
    assert frame[frame["sku"] == "ONE"]["unit_cost"].tolist() == [1.0]
    assert answer.problems == []


async def test_a_row_without_any_price_is_told():
    steps = [{"from_units": 48, "unit_cost": "p48"}]
    body = rows({"sku": "A", "p48": 2.9}, {"sku": "B"})
    answer = await fetched(Reply(body), price_steps=steps)
    assert costs(answer) == {"A": 2.9}
    assert [(p.column, p.rows) for p in answer.problems] == [("unit_cost", 1)]


# ------------------------------------------------------------------ SKUs


async def test_skus_that_a_spreadsheet_mangled():
    body = (
        b'[{"sku": 123, "unit_cost": "4.20", "lead_time_days": "3", "min_order_units": 6},'
        b' {"sku": 4006381333931.0, "unit_cost": 1, "lead_time_days": 3, "min_order_units": 1},'
        b' {"sku": "1.23457E+12", "unit_cost": 1, "lead_time_days": 3, "min_order_units": 1},'
        b' {"sku": "5,5E+11", "unit_cost": 1, "lead_time_days": 3, "min_order_units": 1},'
        b' {"sku": 12345678901234567890.0, "unit_cost": 1, "lead_time_days": 3,'
        b' "min_order_units": 1}]'
    )
    answer = await fetched(Reply(body))
    assert answer.frame["sku"].tolist() == ["123", "4006381333931"]
    (problem,) = answer.problems
    assert (problem.rows, problem.example) == (3, "1.23457E+12")
    assert "mangled by a spreadsheet" in problem.reason


async def test_a_number_with_decimals_in_a_csv_is_the_number():
    body = "sku,unit_cost\n4006381333931.0,1\n12.0,1\nE2E,1\n"
    answer = await fetched(Reply(body), format="csv", defaults=TERMS)
    assert answer.frame["sku"].tolist() == ["4006381333931", "12.0", "E2E"]


# ------------------------------------------------------------------ a part, an error, a page


def paged(**around: Any) -> str:
    some = [TERMS | {"sku": f"P-{n:03d}", "unit_cost": 1 + n / 100} for n in range(100)]
    return json.dumps({"data": {"items": some}} | around)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(paged(links={"next": "/paged?page=2"})), "names a next page"),
        (Reply(paged(meta={"total": 4213})), "names 4,213 in all"),
        (
            Reply(paged(meta={"total": "4213"}, links={"next": "?page=2"})),
            "names a next page and names 4,213 in all",
        ),
        (Reply(paged(), headers={"Link": '</p?page=2>; rel="next"'}), "names a next page"),
        (Reply(paged(), headers={"X-Total-Count": "4213"}), "names 4,213 in all"),
        (Reply(paged(pagination={"has_more": True})), "names a next page"),
    ],
)
async def test_a_part_of_a_catalogue_does_not_pass_for_the_whole(reply: Reply, says: str):
    answer = await fetched(reply, records_path="data.items")
    assert len(answer.frame) == 100
    assert not answer.whole
    (problem,) = answer.problems
    assert f"the answer {says}, and 100 rows were read; state paging" in problem.reason


@pytest.mark.parametrize(
    "reply",
    [
        Reply(paged(links={"next": None}, meta={"total": 100, "page": 1})),
        Reply(paged(has_more=False), headers={"Link": '</p?page=1>; rel="prev"'}),
    ],
)
async def test_a_last_page_is_the_whole(reply: Reply):
    answer = await fetched(reply, records_path="data.items")
    assert answer.whole
    assert answer.problems == []


async def test_a_part_of_an_xml_catalogue_is_told_too():
    body = (
        "<r total='7'><link rel='next' href='?p=2'/><a><sku>A</sku><unit_cost>1</unit_cost></a></r>"
    )
    answer = await fetched(Reply(body), format="xml", records_path="a", defaults=TERMS)
    assert not answer.whole


@pytest.mark.parametrize(
    ("kind", "path", "body", "says"),
    [
        (
            "json",
            "data.items",
            '{"error": {"code": 429, "message": "quota exceeded"}, "data": {"items": []}}',
            "it is an error: quota exceeded",
        ),
        ("json", "data.items", '{"error": "quota exceeded"}', "it is an error: quota exceeded"),
        ("json", "items", '{"errors": [{"detail": "no such key"}]}', "it is an error: no such key"),
        ("json", "items", '{"success": false, "message": "Sorry", "items": []}', "error: Sorry"),
        ("xml", "a", "<error>quota exceeded</error>", "it is an error: quota exceeded"),
        ("xml", "a", "<r><error><message>quota</message></error></r>", "it is an error: quota"),
        ("xml", "", "<html><body><p>We are back at 9</p></body></html>", "it is a web page"),
        ("json", "", "<html><body>We are back at 9</body></html>", "beginning '<html><body>We"),
        ("csv", "", "<html><body>We are back at 9</body></html>", "beginning '<html><body>We"),
        ("csv", "", '{"error": "quota exceeded"}', 'beginning \'{"error": "quota'),
    ],
)
async def test_an_error_inside_an_answer_is_told(kind: str, path: str, body: str, says: str):
    with pytest.raises(SourceGarbled) as caught:
        await fetched(Reply(body), format=kind, records_path=path)
    assert says in str(caught.value)


async def test_an_error_beside_rows_is_told():
    body = paged(errors=[{"message": "warehouse 2 is down"}])
    answer = await fetched(Reply(body), records_path="data.items")
    assert "an error beside its rows: warehouse 2 is down" in answer.problems[0].reason


@pytest.mark.parametrize(
    ("kind", "paging"),
    [
        ("json", {"style": "next", "next_path": "links.next", "total_path": "meta.total"}),
        ("json", {"style": "link"}),
        ("json", {"style": "page", "total_path": "meta.total"}),
        ("csv", {"style": "link"}),
    ],
)
async def test_all_pages_are_read_as_one_catalogue(kind: str, paging: dict[str, Any]):
    def page(request: Request) -> Reply:
        number = int(request.query.get("page", 1))
        some = [
            TERMS | {"sku": f"P-{n:03d}", "unit_cost": f"{n},50"}
            for n in range((number - 1) * 10, number * 10)
        ]
        some[0] |= {"unit_cost": "1.250"}  # its decimal mark is told by the other pages alone
        after = f"/?page={number + 1}" if number < 4 else None
        links = {"Link": f'<{after}>; rel="next"'} if after else {}
        if kind == "json":
            around = {"meta": {"total": 40}, "links": {"next": after}}
            return Reply(json.dumps({"items": some} | around), headers=links)
        lines = [f"{row['sku']};{row['unit_cost']};3;1" for row in some]
        head = "sku;unit_cost;lead_time_days;min_order_units"
        return Reply("\n".join([head, *lines]), content_type="text/csv", headers=links)

    async with serve(page) as server:
        shape = {"records_path": "items"} if kind == "json" else {}
        answer = await supplier(server, format=kind, paging=paging, **shape).fetch_offers(NOW)
    assert len(server.requests) == 4
    assert (answer.rows, len(answer.frame), answer.whole) == (40, 40, True)
    assert costs(answer)["P-010"] == 1250.0
    assert costs(answer)["P-039"] == 39.5
    assert answer.problems == []


async def test_a_page_that_fails_fails_the_catalogue():
    def page(request: Request) -> Reply:
        if request.query.get("page") == "2":
            return Reply("<html>Sorry</html>", content_type="text/html")
        return Reply(paged(), headers={"Link": '</?page=2>; rel="next"'})

    async with serve(page) as server:
        connection = supplier(server, records_path="data.items", paging={"style": "link"})
        with pytest.raises(SourceGarbled, match="beginning '<html>Sorry"):
            await connection.fetch_offers(NOW)


def test_csv_is_paged_by_links_alone():
    with pytest.raises(ValidationError, match=r"paging\.style is 'link' for CSV"):
        SupplierConnection(name="acme", base_url="http://x", format="csv", paging={"style": "page"})
