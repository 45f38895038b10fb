"""A week of the sample business in fast motion."""
