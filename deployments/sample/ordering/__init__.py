"""How the sample's suppliers take orders, each in its own way, and the books that they keep."""
