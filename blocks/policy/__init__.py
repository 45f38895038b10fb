"""The policy as data: the decision matrix, and the rules for what is decided elsewhere."""
