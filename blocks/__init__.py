"""What we know and touch: vocabulary, typed configuration, the ledger, clients to the outside."""
