"""How work is coordinated: the workflows, and the orchestrator's own judgement."""

from blocks.prefect_api.env import use_embedded_prefect

# Before any flow runs, wherever it is called from: a running stack is found, and Prefect's
# settings are ours.
use_embedded_prefect()
