"""indexes that find what is due, and what was queued of late, however much has been done before."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DUE = (("ix_inbound_message_due", "inbound_message"), ("ix_delivery_due", "delivery"))


def upgrade() -> None:
    for name, table in DUE:
        op.drop_index(name, table_name=table)
        op.create_index(name, table, ["state", "due_at", "id"])
    op.create_index("ix_delivery_created_at", "delivery", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_delivery_created_at", table_name="delivery")
    for name, table in DUE:
        op.drop_index(name, table_name=table)
        op.create_index(name, table, ["due_at", "id"])
