"""Events: accepted, put together, responded to, followed to their end."""
