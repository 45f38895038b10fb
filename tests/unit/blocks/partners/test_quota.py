"""The quota of retries: 35 without a success, and each success buys some back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blocks.partners.quota import PRICE, TOKENS, Quota


def spent(quota: Quota) -> tuple[Quota, int]:
    """What is left when all retries are made that it has, and how many those were."""
    made, enough = -1, True
    while enough:
        made += 1
        quota, enough = quota.spend()
    return quota, made


def test_an_outage_has_thirty_five_retries() -> None:
    assert spent(Quota())[1] == 35


def test_a_success_gives_one_token_back_and_one_after_a_retry_its_price() -> None:
    empty, _ = spent(Quota())
    assert spent(empty.refill(True))[1] == 1
    for _ in range(PRICE - 1):
        empty = empty.refill(False)
    assert empty.spend()[1]


@given(st.lists(st.sampled_from(["spend", "first", "again"]), max_size=200))
def test_there_are_never_more_retries_than_tokens_and_successes_buy(steps: list[str]) -> None:
    quota, retries, bought = Quota(), 0, 0
    for step in steps:
        if step == "spend":
            quota, enough = quota.spend()
            retries += enough
        else:
            quota = quota.refill(step == "again")
            bought += PRICE if step == "again" else 1
        assert 0 <= quota.tokens <= TOKENS
    assert retries * PRICE <= TOKENS + bought
