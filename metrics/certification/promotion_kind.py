"""Promotion and pay proposals as a kind of file, beside those of the roster."""

from pathlib import Path

from sqlalchemy.orm import Session

from metrics import promotion_acts
from metrics.certification.promotion_import import REQUIRED, import_promotions
from plugin.errors import N_
from plugin.imports import FileColumn, FileKind, Outcome
from plugin.installation import Installation


def _bring(home: Installation, actor: str, session: Session, path: Path) -> Outcome:
    return import_promotions(path, lambda proposals: promotion_acts.propose_in(session, home, proposals, actor))


ABOUT = {
    "promotion_id": N_("HR's own id of the record; the same id again changes that record."),
    "employee_number": N_(
        "The number of the employee, as text: it is never counted with, and keeps its leading zeros."
    ),
    "effective_date": N_("The day from which it is to hold, written as 2026-11-23."),
    "kind": N_("promotion or pay; promotion if empty."),
    "from_position": N_("The code of the position that they leave."),
    "to_position": N_("The code of the position that they are to hold."),
    "from_grade": N_("The code of the grade that they leave."),
    "to_grade": N_("The code of the grade that they are to have."),
}
KINDS = [
    FileKind(
        "promotions",
        tuple(FileColumn(name, name in REQUIRED, about) for name, about in ABOUT.items()),
        (
            ("P-2027-001", "001002", "2027-01-01", "promotion", "FORKLIFT-DRIVER", "MANAGER", "G3", "G5"),
            ("P-2027-002", "001001", "2027-01-01", "pay", "", "", "G6", "G7"),
        ),
        _bring,
    )
]
