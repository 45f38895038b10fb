"""Commands about what is bought: drafts, and orders."""
