"""Commands about what is watched, what is wrong, and who is told."""
