"""Digests: who is told what of a check, once per change, and when."""
