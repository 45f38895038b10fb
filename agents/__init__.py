"""What each agent can do: one folder per agent, one module per capability."""
