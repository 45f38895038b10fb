"""Traffic through the engine of objectives, against a plain reading of its rules."""
