"""A digest reads well in plain text, and shows a table and a chart where HTML is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from blocks.vocabulary.severity import Severity
from flows.reports.mail.digest import Digest, Draft, Listed, Matter, letter_of

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
EVIL = [
    "<script>alert(1)</script>",
    "till\r\nBcc: everybody@shop.example",
    'x" onmouseover="alert(1)',
    "\x1b[2J\x00bell\x07",
    "postgresql://shop:canary@db.example/shop",
]


def matter(title: str = "checkout is down", **more: Any) -> Matter:
    return Matter(**{"severity": Severity.CRITICAL, "title": title, **more})


def digest(**more: Any) -> Digest:
    base = {
        "business": "corner-shop",
        "check": "Daily health check",
        "run_id": "r1",
        "at": NOW,
        "timezone": "Europe/Berlin",
        "currency": "EUR",
    }
    return Digest(**base | more)


def listed(*matters: Matter, number: int | None = None) -> Listed:
    return Listed(matters=list(matters), number=len(matters) if number is None else number)


class Seen(HTMLParser):
    """What a reader of HTML sees, and which elements there are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_plain_text_tells_all_of_it() -> None:
    told = letter_of(
        digest(
            new=listed(
                matter(to_do="Restart it.", impact_per_day=1234.5),
                matter("85048 runs out", was=Severity.ERROR),
            ),
            open=listed(matter("feed is late", severity=Severity.ERROR)),
            over=["till is down"],
            over_number=1,
            drafts=[
                Draft(
                    supplier="acme",
                    items=3,
                    total="1,200.00 EUR",
                    arrives_on="09 Mar",
                    stands="waiting for a yes",
                )
            ],
        )
    )
    assert told.subject == (
        "corner-shop: 2 new, 1 still open, 1 over, 1 order proposed. checkout is down"
    )
    assert told.text.splitlines() == [
        "corner-shop: Daily health check, 04 Mar 2026, 07:00",
        "",
        "NEW",
        "- [critical] checkout is down (1,234 EUR at risk per day)",
        "  Restart it.",
        "- [critical, was error] 85048 runs out",
        "",
        "STILL OPEN",
        "- [error] feed is late",
        "",
        "OVER",
        "- till is down",
        "",
        "ORDERS PROPOSED",
        "- acme: 3 items, 1,200.00 EUR, there 09 Mar, waiting for a yes",
        "Your yes or no: on the status page, in the Prefect UI, or with ./orchestrator approvals.",
        "",
        "Run r1",
    ]


def test_html_has_a_table_and_a_bar_per_sum_at_risk_greatest_first() -> None:
    matters = matter("a", impact_per_day=50.0), matter("b", impact_per_day=200.0), matter("c")
    html = letter_of(digest(new=listed(*matters))).html
    assert re.findall(r"width:(\d+)%\"></div>", html) == ["100", "25"]
    assert html.index("At risk per day</p>") < html.rindex(">b<") < html.rindex(">a<")
    seen = Seen(html)
    assert {"table", "th", "td", "h2"} <= seen.tags
    assert not {"script", "img", "svg", "a", "link"} & seen.tags
    assert "At risk per day</p>" not in letter_of(digest(new=listed(matter("c")))).html


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_in_a_name_comes_alive(evil: str) -> None:
    told = letter_of(
        digest(
            business=evil,
            new=listed(matter(evil, to_do=evil, impact_per_day=3.0)),
            open=listed(matter(evil)),
            over=[evil],
            over_number=1,
            drafts=[Draft(supplier=evil, items=1, total="1", arrives_on="today")],
        )
    )
    seen = Seen(told.html)
    assert seen.tags <= {
        *("html", "head", "meta", "title", "body", "div", "h1", "h2", "p", "span"),
        *("table", "tr", "th", "td"),
    }
    assert seen.attributes <= {"lang", "charset", "name", "content", "style", "role"}
    for text in (told.subject, told.text, told.html):
        assert "canary" not in text
        assert text.replace("\n", "").isprintable()
    assert "\n" not in told.subject
    assert not any(line.startswith("Bcc") for line in told.text.splitlines())


def test_of_very_many_the_first_are_told_and_the_number_of_the_others() -> None:
    first = [matter(f"sku {n} is out", impact_per_day=float(n)) for n in range(20)]
    told = letter_of(digest(new=listed(*first, number=10_000)))
    assert told.subject.startswith("corner-shop: 10,000 new. sku 0 is out")
    assert "And 9,980 more." in told.text
    assert "And 9,980 more." in told.html
    assert len(told.html) < 30_000
    long = letter_of(digest(new=listed(matter("x" * 500))))
    assert len(long.subject) == 120
