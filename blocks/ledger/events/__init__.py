"""The inbox, and what its events make up."""
