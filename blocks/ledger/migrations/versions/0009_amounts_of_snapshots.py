"""A snapshot says what its revenue is: with or without tax, discounts, refunds, shipping.

Of the earlier ones nobody has said it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    amounts = sa.Column("amounts", sa.JSON, nullable=False, server_default="{}")
    op.add_column("snapshots", amounts)
