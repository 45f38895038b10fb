"""What will be wanted, and whether there is enough of it."""
