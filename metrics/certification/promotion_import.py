"""Promotion and pay records from HR's file: each row is accepted or refused by line and reason, as through the API."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from metrics.certification import record_refusals as why
from metrics.certification.promotion_proposals import TERMS, Proposal
from metrics.certification.refusals import RefusedInWordsError
from metrics.certification.requirement_texts import read_day
from plugin.errors import RefusedError
from plugin.imports import CHANGED, KNOWN, NEW, Outcome, check_row
from plugin.spreadsheets import read_sheet

REQUIRED = ("promotion_id", "employee_number", "effective_date")
BECAME = {"created": NEW, "updated": CHANGED, "unchanged": KNOWN}


def import_promotions(path: Path, propose: Callable[[Sequence[Proposal]], Sequence[str | RefusedError]]) -> Outcome:
    """Hand the file's proposals to `propose`, all at once, and note what became of them.

    Raises RefusedError for a file that cannot be used as a whole.
    """
    outcome = Outcome()
    lines: list[int] = []
    proposals: list[Proposal] = []
    seen: dict[str, int] = {}
    for row in read_sheet(path, REQUIRED).rows:
        try:
            check_row(row, ())
            proposal = read_proposal(row.cells)
            if proposal.promotion_id in seen:
                known = seen[proposal.promotion_id]
                raise RefusedInWordsError(
                    why.IN_FILE_TWICE, column="promotion_id", id=proposal.promotion_id, line=known
                )
        except RefusedInWordsError as refused:
            outcome.refuse(row.line, refused)
            continue
        seen[proposal.promotion_id] = row.line
        lines.append(row.line)
        proposals.append(proposal)
    for line, proposal, done in zip(lines, proposals, propose(proposals), strict=True):
        if isinstance(done, RefusedInWordsError):
            outcome.refuse(line, done)
        else:
            outcome.took(line, BECAME[str(done)], _in_short(proposal))
    return outcome


def _in_short(proposal: Proposal) -> str:
    to = ", ".join(each for each in (proposal.to_position, proposal.to_grade) if each)
    said = (proposal.promotion_id, proposal.employee_number, proposal.kind, to, str(proposal.effective_date))
    return ", ".join(each for each in said if each)


def read_proposal(cells: Mapping[str, str]) -> Proposal:
    """The proposal in the cells of a row or a form; an empty cell says nothing. Raises RefusedError."""
    said = {name: cells.get(name, "").strip() for name in (*REQUIRED, *TERMS)}
    for name in REQUIRED:
        if not said[name]:
            raise RefusedInWordsError(why.EMPTY, field=name)
    effective = read_day(said, "effective_date")
    assert effective is not None  # it is not empty
    terms = {name: said[name] or None for name in TERMS if name != "kind"}
    kind = said["kind"] or "promotion"
    return Proposal(said["promotion_id"], said["employee_number"], kind, effective_date=effective, **terms)
