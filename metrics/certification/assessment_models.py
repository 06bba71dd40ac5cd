"""What assessors enter about people, external certificates, and the files of both."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from plugin.store import Base, BigId


class CertificateFile(Base):
    """A file that shows a certificate or an assessment: its bytes as they were handed in, and their SHA-256.

    `media_type` was read from the bytes, not from the name.
    """

    __tablename__ = "certificate_file"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(50))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    stored_at: Mapped[datetime]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Assessment(Base):
    """What a named assessor says of a person, or an external certificate. An entry is never changed, only ended.

    `state` is `handed_in` until somebody approves or declines it; `recorded` is what counts, by its piece of evidence;
    `declined`, `superseded` (another entry `corrects_id` this one) and `voided` count no more. What has an issuer is an
    external certificate. Whoever approved what was handed in is its assessor, else whoever entered it.
    """

    __tablename__ = "assessment"
    __table_args__ = (Index("ix_assessment_person", "person_id", "assessment"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    assessment: Mapped[str] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(20), index=True)
    success: Mapped[bool | None]
    achieved_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    issuer: Mapped[str | None] = mapped_column(String(300))
    number: Mapped[str | None] = mapped_column(String(200))
    note: Mapped[str | None] = mapped_column(Text)
    file_id: Mapped[int | None] = mapped_column(ForeignKey("certificate_file.id"))
    evidence_id: Mapped[int | None] = mapped_column(ForeignKey("evidence.id"), index=True)
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"))
    entered_by: Mapped[str] = mapped_column(String(200))
    entered_name: Mapped[str] = mapped_column(String(300))
    entered_role: Mapped[str] = mapped_column(String(50))
    entered_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(200))
    decided_name: Mapped[str | None] = mapped_column(String(300))
    decided_role: Mapped[str | None] = mapped_column(String(50))
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None] = mapped_column(Text)
    ended_by: Mapped[str | None] = mapped_column(String(200))
    ended_role: Mapped[str | None] = mapped_column(String(50))
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None] = mapped_column(Text)

    @property
    def assessor(self) -> str:
        """What the named assessor is called; empty for what was handed in and nobody has approved."""
        return "" if self.evidence_id is None else self.decided_name or self.entered_name

    @property
    def is_external(self) -> bool:
        """Whether it is a certificate that somebody else issued."""
        return self.issuer is not None
