"""Acts on the outside world: one door for all, under claims that keep them apart."""
