"""Files that did not come by mail, stored once for each content."""

from __future__ import annotations

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base


class Blob(Base):
    """The bytes of an uploaded file under the SHA-256 of its content (lower-case hex)."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
