"""The terminal: text, progress, reports, times as people write them."""
