"""The ledger's engine: connecting, committing in groups, schema, health."""
