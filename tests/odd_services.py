"""Services whose metrics look odd though they are well, and one that answers 200 and is ill."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.loopback import Reply, Request

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "# HELP orders_total Orders.\n# TYPE orders_total counter\norders_total 42\n"

METRICS = {
    "plain": Reply(PLAIN, content_type=TEXT),
    "exemplar": Reply(
        "# TYPE pay_seconds histogram\n"
        'pay_seconds_bucket{le="0.1"} 8 # {trace_id="a1"} 0.067\n'
        'pay_seconds_bucket{le="+Inf"} 9 # {trace_id="b2"} 0.31 1764391200.125\n'
        "pay_seconds_count 9\npay_seconds_sum 0.8\npay_seconds_created 1764391200.5\n# EOF\n",
        content_type=OPENMETRICS,
    ),
    "floatstamp": Reply("orders_total 42 1764391200.553\n# EOF\n", content_type=OPENMETRICS),
    "spaces": Reply(
        '  # HELP orders_total Indented.\norders_total {status="paid"} 42\n'
        'orders_total\t{status="open" , channel="web",}\t3\n\n',
        content_type=TEXT,
    ),
    "utf8name": Reply(
        '{"shop.orders",status="paid"} 42\n{"shop.orders",status="open"} 3\n', content_type=TEXT
    ),
    "separator": Reply(
        'searches{q="gift\u2028card"} 7\nsearches{q="caf\u0085"} 1\nsearches{q="a\\"b\\\\c}"} 2\n',
        content_type=TEXT,
    ),
    "special": Reply(
        "age_seconds NaN\nlimit +Inf\nfloor -Inf\norders_total 4.2e+01\n", content_type=TEXT
    ),
    "big": Reply(PLAIN + "# filler\n" * 600_000, content_type=TEXT),
    "gzip": Reply(
        gzip.compress(PLAIN.encode()), content_type=TEXT, headers={"Content-Encoding": "gzip"}
    ),
    "redirect": Reply(status=307, headers={"Location": "/redirect/metrics/"}),
    "html": Reply("<!doctype html><html><body>Back soon</body></html>", content_type="text/html"),
    "broken": Reply("no exposition", status=503),
    "search": Reply(PLAIN, content_type=TEXT),
}

SAMPLES = {
    "plain": {"orders_total": 42.0},
    "exemplar": {
        'pay_seconds_bucket{le="0.1"}': 8.0,
        'pay_seconds_bucket{le="+Inf"}': 9.0,
        "pay_seconds_count": 9.0,
        "pay_seconds_sum": 0.8,
        "pay_seconds_created": 1764391200.5,
    },
    "floatstamp": {"orders_total": 42.0},
    "spaces": {
        'orders_total{status="paid"}': 42.0,
        'orders_total{status="open",channel="web"}': 3.0,
    },
    "utf8name": {
        '{"shop.orders",status="paid"}': 42.0,
        '{"shop.orders",status="open"}': 3.0,
    },
    "separator": {
        'searches{q="gift\u2028card"}': 7.0,
        'searches{q="caf\u0085"}': 1.0,
        'searches{q="a\\"b\\\\c}"}': 2.0,
    },
    "special": {"orders_total": 42.0},
    "gzip": {"orders_total": 42.0},
}
"""What is read of those that can be read."""

UNREADABLE = {
    "big": "more than 5 MB",
    "redirect": "redirects to {url}/redirect/metrics/ (HTTP 307)",
    "html": "text/html answer holds no Prometheus sample",
    "broken": "HTTP 503",
}
"""What is said of the metrics that cannot."""


def answer(request: Request) -> Reply:
    """``/NAME/health`` and ``/NAME/metrics`` of all of them."""
    _, name, what = request.path.split("/", 2)
    if what == "metrics":
        return METRICS[name]
    if name == "search":  # a search cluster that has lost shards
        return Reply('{"cluster_name": "shop", "status": "red"}')
    return Reply('{"status": "UP"}')


def configured(url: str, log: Path) -> list[dict[str, object]]:
    """The services as a business file has them; each restart leaves its name in ``log``."""
    return [
        {
            "name": name,
            "health_url": f"{url}/{name}/health",
            "metrics_url": f"{url}/{name}/metrics",
            "revenue_share": 0.5,
            "latency_budget_ms": 9000,  # the machine may be busy
            "restart": ["/bin/sh", "-c", f"echo {name} >> '{log}'"],
        }
        for name in METRICS
    ]
