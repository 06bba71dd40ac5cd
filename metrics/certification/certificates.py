"""Files of certificates: taken as PDF, PNG or JPEG by what their bytes say, kept in the database, and checked when read.

They stand in the database with everything else, so that a backup of the one is a backup of the other.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import select
from sqlalchemy.orm import Session

from metrics.certification import refusals
from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.refusals import NotThereError, RefusedInWordsError

MEBIBYTE = 1024 * 1024
SIGNATURES = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
ENDINGS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
SHOWN = 200  # characters of a file's name


@dataclass(frozen=True)
class Upload:
    """A file as somebody hands it in."""

    name: str
    content: bytes


def media_type(content: bytes) -> str | None:
    """What the first bytes say that it is; None for anything that is not taken."""
    return next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)


def check(upload: Upload, most_mib: int) -> str:
    """The file's media type. Raises RefusedInWordsError for one that is empty, too large or of another type."""
    if not upload.content:
        raise RefusedInWordsError(refusals.EMPTY_FILE)
    if len(upload.content) > most_mib * MEBIBYTE:
        size = f"{len(upload.content) / MEBIBYTE:.1f}"
        raise RefusedInWordsError(refusals.TOO_LARGE, size=size, most=most_mib)
    kind = media_type(upload.content)
    if kind is None:
        raise RefusedInWordsError(refusals.WRONG_TYPE)
    return kind


def keep(session: Session, person_id: int, upload: Upload, most_mib: int, now: datetime) -> CertificateFile:
    """Store the file as one about this person. Raises RefusedInWordsError."""
    kind = check(upload, most_mib)
    name = "".join(letter for letter in PurePath(upload.name.replace("\\", "/")).name if letter.isprintable())
    row = CertificateFile(
        person_id=person_id,
        name=name[-SHOWN:] or f"certificate.{ENDINGS[kind]}",
        media_type=kind,
        size=len(upload.content),
        sha256=hashlib.sha256(upload.content).hexdigest(),
        stored_at=now,
        content=upload.content,
    )
    session.add(row)
    session.flush()
    return row


def read(session: Session, entry: Assessment) -> CertificateFile:
    """The file of an entry, as it was stored. Raises NotThereError, and RefusedInWordsError where its checksum differs."""
    row = session.get(CertificateFile, entry.file_id) if entry.file_id is not None else None
    if row is None:
        raise NotThereError(refusals.NO_FILE, id=entry.id)
    if not _is_whole(row):
        raise RefusedInWordsError(refusals.FILE_CHANGED, id=entry.id)
    return row


def changed(session: Session) -> Iterator[CertificateFile]:
    """The files that are not what was stored; one is in memory at a time."""
    for file_id in session.scalars(select(CertificateFile.id).order_by(CertificateFile.id)).all():
        row = session.get(CertificateFile, file_id)
        if row is not None and not _is_whole(row):
            yield row
        session.expunge_all()


def _is_whole(row: CertificateFile) -> bool:
    return hashlib.sha256(row.content).hexdigest() == row.sha256
