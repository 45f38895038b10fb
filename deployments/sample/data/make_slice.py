"""Cut the sample business's data out of its two public sources.

    python deployments/sample/data/make_slice.py --data online_retail.csv.gz --nab FOLDER

``--data`` is the whole Online Retail table (columns ``invoice, stock_code, description, quantity,
ts, unit_price, customer_id, country``), ``--nab`` a folder holding ``nab_data.tar.gz``,
``combined_labels.json`` and ``LICENSE.txt``. Files of the same name beside this script are
replaced; the same input gives the same bytes. `SOURCE.md` tells what is kept and why.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import tarfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent

QUOTA = {"seasonal": 25, "late": 20, "ended": 15, "fast": 40, "steady": 60, "slow": 40}
"""SKUs per demand pattern; a SKU belongs to the first pattern of this order that it shows."""

NAB_FILES = (
    "realKnownCause/ec2_request_latency_system_failure",
    "realAWSCloudwatch/elb_request_count_8c0756",
    "realAWSCloudwatch/ec2_cpu_utilization_53ea38",
    "realAWSCloudwatch/ec2_cpu_utilization_825cc2",
    "realAWSCloudwatch/ec2_network_in_257a54",
    "realAWSCloudwatch/rds_cpu_utilization_e47b3b",
    "realAWSCloudwatch/ec2_cpu_utilization_fe7f93",
    "realAWSCloudwatch/ec2_disk_write_bytes_c0d644",
)


def read_goods(path: Path) -> pd.DataFrame:
    """The lines that a shop's sales table holds: goods sold, and goods returned (prefix ``C``).

    One SKU is spelt in one way (``85123a`` is ``85123A``). Left out are codes that are no goods
    (postage, fees, tests), and lines without price and customer: manual corrections of a stock
    whose level the source does not tell.
    """
    lines = pd.read_csv(path, dtype={"invoice": str, "stock_code": str})
    lines["sku"] = lines["stock_code"].str.upper()
    goods = lines["sku"].str.fullmatch(r"\d{5}[A-Z]{0,2}")
    returned = lines["invoice"].str.startswith("C")
    traded = returned | (
        (lines["quantity"] > 0) & ((lines["unit_price"] > 0) | lines["customer_id"].notna())
    )
    kept = lines[goods & traded].copy()
    kept["ts"] = pd.to_datetime(kept["ts"])
    return kept


def demand_patterns(sales: pd.DataFrame) -> pd.DataFrame:
    """One row per SKU with its ``pattern`` (a key of `QUOTA`) and its number of ``lines``."""
    sales = sales.assign(week=sales["ts"].dt.to_period("W-SUN"))
    by_sku = sales.groupby("sku")
    names = by_sku["description"].agg(lambda texts: " ".join(texts.dropna().unique()).upper())
    autumn = sales["ts"].dt.month.isin([9, 10, 11, 12])
    facts = pd.DataFrame(
        {
            "lines": by_sku.size(),
            "weeks": by_sku["week"].nunique(),
            "first": by_sku["ts"].min(),
            "last": by_sku["ts"].max(),
            "autumn": sales[autumn].groupby("sku")["quantity"].sum() / by_sku["quantity"].sum(),
            "christmas": names.str.contains("CHRISTMAS|XMAS|ADVENT|SANTA|REINDEER"),
        }
    )
    all_weeks = sales["week"].nunique()
    patterns = {
        "seasonal": facts["christmas"] & (facts["autumn"] > 0.7) & (facts["lines"] >= 100),
        "late": (facts["first"] > "2010-08-01") & (facts["lines"] >= 100),
        "ended": (facts["last"] < "2011-03-01") & (facts["lines"] >= 100),
        "fast": facts["lines"].rank(ascending=False) <= 120,
        "steady": (facts["weeks"] >= 0.8 * all_weeks) & (facts["lines"] >= 250),
        "slow": facts["weeks"].between(0.15 * all_weeks, 0.5 * all_weeks),
    }
    facts["pattern"] = None
    for name, shown in patterns.items():
        facts.loc[facts["pattern"].isna() & shown, "pattern"] = name
    return facts.dropna(subset=["pattern"])[["pattern", "lines"]]


def spread(skus: pd.DataFrame, wanted: int) -> list[str]:
    """``wanted`` SKUs, evenly spaced from the most to the least sold."""
    ranked = skus.reset_index().sort_values(["lines", "sku"], ascending=[False, True])["sku"]
    return [str(ranked.iloc[i * len(ranked) // wanted]) for i in range(wanted)]


def slice_retail(path: Path) -> None:
    """Write ``products.csv`` and ``online_retail_slice.csv.gz``."""
    lines = read_goods(path)
    sales = lines[(lines["quantity"] > 0) & (lines["unit_price"] > 0)]
    patterns = demand_patterns(sales)
    chosen = {
        sku: pattern
        for pattern, wanted in QUOTA.items()
        for sku in spread(patterns[patterns["pattern"] == pattern], wanted)
    }
    of_chosen = sales[sales["sku"].isin(list(chosen))].groupby("sku")
    products = pd.DataFrame(
        {
            "name": of_chosen["description"].agg(lambda texts: " ".join(texts.mode()[0].split())),
            "list_price": of_chosen["unit_price"].agg(lambda prices: prices.mode()[0]),
            "pattern": pd.Series(chosen),
        }
    )
    products.rename_axis("sku").sort_index().to_csv(HERE / "products.csv", lineterminator="\n")
    kept = lines[lines["sku"].isin(list(chosen))].sort_values(["ts", "invoice"], kind="stable")
    kept["ts"] = kept["ts"].dt.strftime("%Y-%m-%d %H:%M")
    text = kept[["invoice", "ts", "sku", "quantity", "unit_price"]].to_csv(
        index=False, lineterminator="\n"
    )
    compress(text.encode(), HERE / "online_retail_slice.csv.gz")


def slice_nab(folder: Path) -> None:
    """Write the chosen series as they are, their labels, and the licence, to ``nab/``."""
    target = HERE / "nab"
    target.mkdir(exist_ok=True)
    labels = json.loads((folder / "combined_labels.json").read_text())
    with tarfile.open(folder / "nab_data.tar.gz") as archive:
        for name in NAB_FILES:
            member = archive.extractfile(f"data/{name}.csv")
            assert member is not None, name
            compress(member.read(), target / f"{Path(name).name}.csv.gz")
    kept = {Path(name).name: labels[f"{name}.csv"] for name in NAB_FILES}
    (target / "labels.json").write_text(json.dumps(kept, indent=1) + "\n")
    shutil.copyfile(folder / "LICENSE.txt", target / "LICENSE.txt")


def compress(content: bytes, target: Path) -> None:
    """Write gzip whose bytes depend on the content alone (no time, no name)."""
    target.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="online_retail.csv.gz, the whole table")
    parser.add_argument("--nab", type=Path, help="folder with nab_data.tar.gz and the labels")
    arguments = parser.parse_args()
    if not arguments.data and not arguments.nab:
        parser.error("name at least one source: --data FILE, --nab FOLDER")
    if arguments.data:
        slice_retail(arguments.data)
    if arguments.nab:
        slice_nab(arguments.nab)
