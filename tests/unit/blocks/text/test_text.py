"""Names that were misspelt, and text that is shown."""

import pytest

from blocks.text import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("stok", ["sales", "stock"], "Did you mean stock?"),
        ("ORDERS", ["Orders", "sales"], "Did you mean Orders?"),
        ("ordr", ["order", "orders"], "Did you mean order or orders?"),
        ("zzz", ["sales", "stock", "sales"], "There are sales, stock."),
        ("zzz", ["sales"], "There is sales."),
        ("zzz", [], "There is none."),
        ("evl", ["ev\x1bil"], "Did you mean ev il?"),
    ],
)
def test_a_misspelt_name_is_answered_with_what_is_near(name, known, hint):
    assert did_you_mean(name, known) == hint


def test_what_is_near_goes_before_the_other_hint():
    assert did_you_mean("stok", ["stock"], "Look it up.") == "Did you mean stock?"
    assert did_you_mean("zzz", ["stock"], "Look it up.") == "Look it up."
