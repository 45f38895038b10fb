"""What systems can bear, what an expected surge asks of them, and limits raised for as long."""
