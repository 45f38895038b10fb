"""How work is decided and handed out: the orchestrator's own judgement."""
