"""What rules did: which event made which rule start which run, or why none was started."""
