"""What a report says of the money in it."""

from __future__ import annotations

import pytest

from blocks.vocabulary.amounts import Amounts


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        (
            {"tax": "excluded", "discounts": "excluded", "refunds": "excluded"}
            | {"shipping": "excluded"},
            "Revenue is without tax, less discounts, less refunds, without shipping.",
        ),
        (
            {"tax": "included", "discounts": "included", "refunds": "included"}
            | {"shipping": "included"},
            "Revenue is with tax, before discounts, before refunds, with shipping.",
        ),
        (
            {"tax": "included"},
            "Revenue is with tax. Nobody has said whether revenue is with discounts, refunds or "
            "shipping.",
        ),
        (
            {},
            "Nobody has said whether revenue is with tax, discounts, refunds or shipping.",
        ),
        (
            {"tax": "included", "discounts": "excluded", "refunds": "excluded"},
            "Revenue is with tax, less discounts, less refunds. Nobody has said whether revenue is "
            "with shipping.",
        ),
    ],
)
def test_what_is_in_the_money_is_said_and_what_nobody_said_too(amounts, said):
    assert Amounts(**amounts).words() == said
