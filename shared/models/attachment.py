"""A file of an article: a view of the stored mail, or a blob where it was uploaded."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base
from shared.models.columns import NEVER_REUSED, Id


class Attachment(Base):
    """`part` says where the bytes are inside the article's raw mail; `blob_sha256` where they were uploaded."""

    __tablename__ = "attachment"
    __table_args__ = (CheckConstraint("(part IS NULL) != (blob_sha256 IS NULL)", name="one_place"), NEVER_REUSED)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"), index=True)
    part: Mapped[str | None] = mapped_column(String(100))
    blob_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(255))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    inline: Mapped[bool] = mapped_column(default=False)
    content_id: Mapped[str | None] = mapped_column(String(998))
