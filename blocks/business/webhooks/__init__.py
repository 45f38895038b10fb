"""Webhooks that others send us: who may, how each signs, and whether a signature is good."""
