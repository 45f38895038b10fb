"""Alembic's entry: runs the due migrations on the connection that the engine's ``schema`` gives.

That connection is inside a transaction which holds the migration lock, so Alembic must neither
begin nor commit one: all due migrations take effect together, or none does.
"""

from alembic import context

from blocks.ledger.engine.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
