"""What stores had when they were looked at, in frames."""
