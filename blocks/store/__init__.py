"""The store's database: somebody else's SQL, mapped to our frames, read and never written."""
