"""Promotion and pay records from HR's file: each row is accepted or refused by line and reason, as through the API."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metrics.certification import record_refusals as why
from metrics.certification.promotion_proposals import TERMS, Proposal
from metrics.certification.refusals import RefusedInWordsError
from metrics.certification.requirement_texts import read_day
from plugin.errors import RefusedError
from plugin.spreadsheets import Row, read_sheet

REQUIRED = ("promotion_id", "employee_number", "effective_date")


@dataclass
class Outcome:
    """What importing did: how many records are new, changed and unchanged, and the refused lines with the reason."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def import_promotions(path: Path, propose: Callable[[Sequence[Proposal]], Sequence[str | RefusedError]]) -> Outcome:
    """Hand the file's proposals to `propose`, all at once, and count what became of them.

    Raises RefusedError for a file that cannot be used as a whole.
    """
    outcome = Outcome()
    lines: list[int] = []
    proposals: list[Proposal] = []
    seen: dict[str, int] = {}
    for row in read_sheet(path, REQUIRED).rows:
        try:
            proposal = _proposal(row)
            if proposal.promotion_id in seen:
                known = seen[proposal.promotion_id]
                raise RefusedInWordsError(why.IN_FILE_TWICE, id=proposal.promotion_id, line=known)
        except RefusedError as refused:
            outcome.refused.append((row.line, str(refused)))
            continue
        seen[proposal.promotion_id] = row.line
        lines.append(row.line)
        proposals.append(proposal)
    for line, done in zip(lines, propose(proposals), strict=True):
        if isinstance(done, RefusedError):
            outcome.refused.append((line, str(done)))
        else:
            setattr(outcome, done, getattr(outcome, done) + 1)
    outcome.refused.sort()
    return outcome


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


def _proposal(row: Row) -> Proposal:
    if row.fault:
        raise RefusedError(row.fault)
    return read_proposal(row.cells)
