"""What is looked at all the time: its parts, and what becomes of what they see."""
