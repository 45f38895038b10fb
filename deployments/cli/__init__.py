"""The command line: ``./orchestrator``, one noun per file."""
