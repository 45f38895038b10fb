"""What we look after: a business and its connections, and how each of them is called."""
