"""Fetching data from outside: the store's database, and what its suppliers offer."""
