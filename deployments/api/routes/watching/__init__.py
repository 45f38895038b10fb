"""What is wrong, what is promised, what follows from events, and what partners are told."""
