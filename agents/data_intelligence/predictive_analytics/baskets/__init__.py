"""What to order from whom: offers compared, and each supplier's order put together as a whole."""
