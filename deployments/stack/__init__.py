"""The embedded stack: what must be true before it starts, its parts, up and down together."""
