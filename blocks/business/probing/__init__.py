"""The ways of probing: what each asks, and what it takes for a good answer."""
