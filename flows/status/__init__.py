"""How the whole is, for the status report, the status page and the metrics."""
