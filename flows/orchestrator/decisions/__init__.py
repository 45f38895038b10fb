"""Decisions explained, made again under another policy, and compared with what came of them."""
