"""What settles what is due while the stack runs."""
