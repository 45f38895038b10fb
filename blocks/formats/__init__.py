"""What others write, read without guessing: numbers, dates, metrics, health documents, rows."""
