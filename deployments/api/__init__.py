"""The REST API: the orchestrator over HTTP, for programs and for the status page."""
