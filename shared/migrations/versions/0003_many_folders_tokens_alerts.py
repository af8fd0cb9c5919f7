"""many folders, tokens for mailboxes, alerts, notes on arrivals, suspended and blocked addresses, and their words."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NEW_WORDS = (
    ("delivery", "cause", "deliverycause", "account", ("notice",)),
    ("event", "kind", "eventkind", "followed", ("not_sent", "undone", "suspended", "resumed", "blocked", "unblocked", "withheld")),
)
NEW_COLUMNS = (
    ("address", "suspended_at", sa.DateTime(timezone=True), None),
    ("address", "suspended_why", sa.String(), None),
    ("address", "blocked_at", sa.DateTime(timezone=True), None),
    ("address", "blocked_by", sa.String(length=254), None),
    ("folder_cursor", "missing", sa.String(), ""),
    ("folder_cursor", "unsettled", sa.String(), ""),
    ("folder_cursor", "reconciled_at", sa.DateTime(timezone=True), None),
    ("folder_cursor", "renewed_at", sa.DateTime(timezone=True), None),
    ("folder_cursor", "put_back_at", sa.DateTime(timezone=True), None),
    ("inbound_message", "told_size", sa.Integer(), None),
    ("inbound_message", "internal_date", sa.DateTime(timezone=True), None),
    ("inbound_message", "notes", sa.JSON(), "[]"),
    ("inbound_message", "started_at", sa.DateTime(timezone=True), None),
    ("inbound_message", "failures", sa.Integer(), "0"),
    ("delivery", "counted_as", sa.String(length=320), ""),
    ("delivery", "ended_attempts", sa.Integer(), "0"),
    ("mailbox", "oauth", sa.JSON(), None),
    ("mailbox", "access_token", sa.String(), None),
    ("mailbox", "access_expires_at", sa.DateTime(timezone=True), None),
    ("mailbox", "secret_expires_at", sa.DateTime(timezone=True), None),
    ("mailbox", "outgoing_secret", sa.String(), None),
    ("mailbox", "folders", sa.JSON(), '["INBOX"]'),
    ("mailbox", "failing_since", sa.DateTime(timezone=True), None),
    ("mailbox", "incomplete_since", sa.DateTime(timezone=True), None),
    ("mailbox", "unsettled_since", sa.DateTime(timezone=True), None),
)


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("sentence", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posting_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert")),
    )
    for table, name, kind, default in NEW_COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    if _is_sqlite():
        op.execute("UPDATE mailbox SET folders = json_array(folder)")
    else:
        op.execute("UPDATE mailbox SET folders = json_build_array(folder)")
        op.alter_column("mailbox", "imap_secret", type_=sa.String())
    op.drop_column("mailbox", "folder")
    op.drop_index("ix_delivery_recipient", "delivery")
    op.execute("UPDATE delivery SET counted_as = lower(recipient), ended_attempts = attempts")
    op.create_index("ix_delivery_counted_as", "delivery", ["counted_as", "created_at"])
    op.execute("INSERT INTO counter (name, value) VALUES ('automatic', 0)")
    for change in NEW_WORDS:
        _allow(*change)


def downgrade() -> None:
    raise NotImplementedError("there is no way back from here; put a backup back")


def _allow(table: str, column: str, kind: str, last: str, words: tuple[str, ...]) -> None:
    """Let a column hold more words.

    SQLite cannot change a constraint. Its way to do so without writing the table anew, which would forget the ids
    that were given, is to change what it keeps of the table's definition (lang_altertable, section 7).
    """
    if not _is_sqlite():
        known = _known(table, column, kind)
        op.drop_constraint(op.f(f"ck_{table}_{kind}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{kind}"), table, sa.column(column).in_([*known, *words]))
        return
    connection = op.get_bind()
    more = ", ".join(f"'{word}'" for word in (last, *words))
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?",
        (f"'{last}')", f"{more})", table),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _known(table: str, column: str, kind: str) -> list[str]:
    """The words that PostgreSQL's constraint names."""
    written = op.get_bind().scalar(
        sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"),
        {"name": f"ck_{table}_{kind}"},
    )
    return re.findall(r"'([a-z_]+)'", written)
