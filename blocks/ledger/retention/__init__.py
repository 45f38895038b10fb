"""What the ledger forgets, and when."""
