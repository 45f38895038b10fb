"""Partners' endpoints: where they are, what they are told, how that is signed, and new secrets."""
