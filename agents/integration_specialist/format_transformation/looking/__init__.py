"""Looks at somebody else's database: what there is, some of it, and never all of it."""
