"""What is short, and what is to be ordered of it: records, shelf, items and drafts put together."""
