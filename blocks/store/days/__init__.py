"""Sales by day: added up where the lines lie, and kept once they are settled."""
