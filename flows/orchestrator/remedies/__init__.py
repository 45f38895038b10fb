"""What is wrong and may be mended without asking: tried, and followed up."""
