"""Purchase orders: placed, followed to their end, and let go further as they prove themselves."""
