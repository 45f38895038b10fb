"""How is it run and reached? Command line, embedded stack, registration, sample business."""
