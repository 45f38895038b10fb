"""A run as its workflow uses it: opened, asking the agents, reported and concluded."""
