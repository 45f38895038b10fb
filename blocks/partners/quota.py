"""The quota of retries: when everything fails, trying again only adds to the load."""

from __future__ import annotations

from blocks.models import Frozen

TOKENS = 500
"""What there is at most."""

PRICE = 14
"""What a retry costs: without any success there are 35 of them."""


class Quota(Frozen):
    """What a partner's retries may still cost, after the AWS SDKs' standard mode.

    A call that succeeds gives back what its last retry cost, or one token if it needed none.
    """

    tokens: int = TOKENS

    def spend(self) -> tuple[Quota, bool]:
        """What is left after a retry, and whether there is enough for it."""
        enough = self.tokens >= PRICE
        return (Quota(tokens=self.tokens - PRICE) if enough else self), enough

    def refill(self, retried: bool) -> Quota:
        """What there is after a success."""
        return Quota(tokens=min(self.tokens + (PRICE if retried else 1), TOKENS))
