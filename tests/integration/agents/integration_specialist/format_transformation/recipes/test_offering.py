"""``connect`` offers the recipe of a shop system that it recognises, and says what it is worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from agents.integration_specialist.format_transformation import ConnectProposal, propose_mapping
from blocks.business.business import Business
from blocks.vocabulary.frames import Snapshot
from tests.shops import NOW, fill
from tests.shops.reading import recipe_of
from tests.shops.truth import done


async def read(proposal: ConnectProposal, folder: Path) -> Snapshot:
    """What the workflows would see, through the file that was proposed."""
    (folder / "business.toml").write_text(proposal.toml, encoding="utf-8")
    business = Business.from_toml(folder / "business.toml")
    assert business.store
    return await business.store.read_snapshot(NOW)


@pytest.mark.parametrize("shop", ["django_oscar/sqlite", "tryton/sqlite", "woocommerce_hpos"])
async def test_a_recipe_is_offered_as_it_stands(shop: str, empty: Callable[[str], str]) -> None:
    url = fill(empty("sqlite"), shop)
    recipe = recipe_of(url)
    proposal = await propose_mapping(url)
    assert recipe is not None
    assert proposal.system == f"{recipe.title} (a recipe, {recipe.tried})"
    assert proposal.complete
    assert all(frame.ticked for frame in proposal.frames if frame.mappings)
    assert {f.name: f.mappings for f in proposal.frames if f.mappings} == recipe.frames
    for note in recipe.notes:
        assert note in proposal.remarks
        assert f"# {note}\n" in proposal.toml


async def test_the_file_that_is_written_gives_the_figures_of_the_shop(
    tmp_path: Path, empty: Callable[[str], str]
) -> None:
    proposal = await propose_mapping(fill(empty("sqlite"), "woocommerce"))
    assert proposal.system == "WooCommerce (a recipe, not yet tried on a live shop)"
    absent = "wp_wc_order_stats, wp_woocommerce_order_itemmeta, wp_woocommerce_order_items"
    assert f"Not there, and left out: {absent}." in proposal.remarks
    snapshot = await read(proposal, tmp_path)
    assert snapshot.currency == "EUR"
    days = snapshot.frames["orders"].assign(date=lambda o: o["date"].dt.day)
    assert days.to_numpy().tolist() == [[20, 1, 1, 10, 0], [27, 2, 12, 25, 1], [28, 1, 1, 10, 0]]
    assert snapshot.amounts.model_dump() == dict.fromkeys(
        ["tax", "discounts", "refunds", "shipping"], "excluded"
    )


async def test_the_file_has_the_zone_and_the_money_that_the_shop_says(
    tmp_path: Path, empty: Callable[[str], str]
) -> None:
    url = fill(empty("sqlite"), "woocommerce_hpos")
    done(url, "UPDATE wp_options SET option_value = 'CHF' WHERE option_name LIKE '%currency'")
    done(url, "UPDATE wp_options SET option_value = 'Europe/Zurich' WHERE option_name LIKE 'time%'")
    snapshot = await read(await propose_mapping(url), tmp_path)
    assert (snapshot.currency, snapshot.timezone) == ("CHF", "Europe/Zurich")


async def test_what_a_shop_says_badly_is_not_taken(
    tmp_path: Path, empty: Callable[[str], str]
) -> None:
    url = fill(empty("sqlite"), "woocommerce_hpos")
    done(url, "UPDATE wp_options SET option_value = '€' WHERE option_name LIKE '%currency'")
    done(url, "UPDATE wp_options SET option_value = '../UTC+2' WHERE option_name LIKE 'time%'")
    snapshot = await read(await propose_mapping(url), tmp_path)
    assert (snapshot.currency, snapshot.timezone) == ("EUR", "UTC")  # the orders' own


@pytest.mark.services
async def test_a_reader_who_may_not_see_the_settings_gets_the_recipe_all_the_same(
    empty: Callable[[str], str],
) -> None:
    url = fill(empty("postgresql"), "tryton/postgresql")
    name = f"reader_{make_url(url).database}"
    done(url, f"CREATE ROLE {name} LOGIN")
    done(url, f"GRANT USAGE ON SCHEMA public TO {name}")
    done(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    done(url, f"REVOKE SELECT ON company_company FROM {name}")
    try:
        reader = make_url(url).set(username=name, drivername="postgresql")
        proposal = await propose_mapping(reader.render_as_string())
    finally:
        done(url, f"DROP OWNED BY {name}")
        done(url, f"DROP ROLE {name}")
    assert proposal.system.startswith("Tryton")
    assert proposal.complete
    assert 'timezone = "UTC"' in proposal.toml
