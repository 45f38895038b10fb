"""What is done about incidents: by whom, when, and what they said."""
