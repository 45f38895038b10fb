"""A snapshot knows its store: that of another business must not stand in for it.

Which store the earlier ones came from, nobody knows; they stand in for none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("store", sa.Text, nullable=False, server_default=""))
