"""What partners are told by webhooks: events, their deliveries, and how each endpoint stands."""
