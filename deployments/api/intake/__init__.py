"""Events on their way into the ledger."""
