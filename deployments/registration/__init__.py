"""What a Prefect server must know of us: pools, deployments, automations."""
