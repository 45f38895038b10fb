"""A remediation says until when it may go on; after that its outcome is unknown.

Of the earlier ones nobody wrote it down: they count by their start, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("remediations", sa.Column("deadline", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_remediations_open",
        "remediations",
        ["started_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
