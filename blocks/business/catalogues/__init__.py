"""What suppliers' catalogues say: their rows read as offers, and what cannot be meant so."""
