"""Whether orders come as they usually do at that hour: what is usual, and what is beyond chance."""
