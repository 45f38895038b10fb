"""What our own looks measured, series by series."""
