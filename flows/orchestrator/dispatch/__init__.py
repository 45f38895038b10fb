"""Which agent instance takes a call, under which policy, and what came back."""
