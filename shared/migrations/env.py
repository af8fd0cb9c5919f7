"""Alembic's entry: runs migrations on the connection that `shared.schema` hands in."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

import shared.models  # noqa: F401  (makes the tables known)
from shared.database import Base, UtcDateTime


def written(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own column types as what they are in the database: migrations import nothing of ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def main() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=written,
    )
    with context.begin_transaction():
        context.run_migrations()


main()
