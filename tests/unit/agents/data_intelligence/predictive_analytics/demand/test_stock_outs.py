"""What is known of days on which an item could not be bought."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.demand.stock_outs import (
    FORGOTTEN_DAYS,
    days_of,
    load_spells,
    save_spells,
    spells,
)

TODAY = date(2026, 11, 30)


def stock(**on_hand: float) -> pd.DataFrame:
    return pd.DataFrame({"sku": list(on_hand), "on_hand": [float(n) for n in on_hand.values()]})


def sales(*sold: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(sorted((day, sku) for sku, day in sold), columns=["date", "sku"])
    frame["date"] = pd.to_datetime(frame["date"]).dt.as_unit("us")
    return frame.assign(units=2.0, returned=0.0, revenue=10.0)


def told(known: pd.DataFrame) -> list[tuple[str, str, str]]:
    return [(sku, f"{first:%m-%d}", f"{last:%m-%d}") for sku, first, last in known.to_numpy()]


def test_an_item_is_out_since_its_last_sale():
    sold = sales(("GONE", "2026-11-20"), ("THERE", "2026-11-20"), ("OWED", "2026-11-27"))
    known = spells(stock(GONE=0, THERE=3, OWED=-2), sold, TODAY)
    assert told(known) == [("GONE", "11-21", "11-29"), ("OWED", "11-28", "11-29")]


def test_what_is_reserved_cannot_be_bought():
    all_taken = stock(MUG=4).assign(reserved=4.0)
    assert told(spells(all_taken, sales(("MUG", "2026-11-25")), TODAY)) == [
        ("MUG", "11-26", "11-29")
    ]


def test_a_spell_that_goes_on_grows_and_one_that_is_over_is_remembered():
    sold = sales(("A", "2026-11-20"), ("B", "2026-11-21"))
    first = spells(stock(A=0, B=0), sold, date(2026, 11, 25))
    later = sales(("A", "2026-11-20"), ("B", "2026-11-21"), ("B", "2026-11-28"))
    known = spells(stock(A=0, B=7), later, TODAY, first)
    assert told(known) == [("A", "11-21", "11-29"), ("B", "11-22", "11-24")]


def test_an_item_that_never_sold_or_sold_yesterday_has_no_spell():
    assert spells(stock(NEW=0, LAST=0), sales(("LAST", "2026-11-29")), TODAY).empty


@pytest.mark.parametrize(("days", "known"), [(FORGOTTEN_DAYS, 1), (FORGOTTEN_DAYS + 1, 0)])
def test_an_item_that_nobody_buys_in_again_is_given_up(days, known):
    last = pd.Timestamp(TODAY) - pd.Timedelta(days=days + 1)
    assert len(spells(stock(OLD=0), sales(("OLD", str(last.date()))), TODAY)) == known


def test_spells_are_forgotten_after_two_years():
    old = pd.DataFrame(
        {"sku": ["A", "B"], "first": "2024-11-01", "last": ["2024-11-28", "2024-11-29"]}
    )
    for column in ("first", "last"):
        old[column] = pd.to_datetime(old[column]).dt.as_unit("us")
    assert list(spells(stock(), sales(), TODAY, old)["sku"]) == ["B"]


def test_each_day_is_told_once():
    known = spells(stock(A=0), sales(("A", "2026-11-26")), TODAY)
    inside = known.assign(first=known["first"] + pd.Timedelta(days=1))
    days = days_of(pd.concat([known, inside], ignore_index=True))
    assert [f"{day:%m-%d}" for day in days["date"]] == ["11-27", "11-28", "11-29"]
    assert set(days["sku"]) == {"A"}


def test_spells_are_read_as_they_were_written_and_damage_is_no_knowledge(tmp_path):
    known = spells(
        stock(**{"0012": 0, "NA": 0}), sales(("0012", "2026-11-20"), ("NA", "2026-11-21")), TODAY
    )
    save_spells(known, tmp_path / "out.csv")
    pd.testing.assert_frame_equal(load_spells(tmp_path / "out.csv"), known, check_dtype=False)
    (tmp_path / "out.csv").write_bytes(b"sku,first,last\nA,yesterday,2026-01-01\n")
    assert load_spells(tmp_path / "out.csv") is None
    assert load_spells(tmp_path / "none.csv") is None
