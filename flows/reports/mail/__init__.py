"""Mail as people read it: the digest of a check, the daily report."""
