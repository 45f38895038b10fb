"""How a supplier takes orders from us: its desk, an order placed there, and what it says of it."""
