"""Messages from outside: delivered, answered, or kept as dead letters."""
