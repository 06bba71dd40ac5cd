"""What a touched person need not be derived in again: everything that a certification depends on is as it was.

That is the rule with its versions, the pieces that it looks at, what was decided and what is required; of all that a
number is kept beside the holding. Pieces are never changed in the store, only voided, so that their ids say what they
are. With the same number a holding stands from the moment of its derivation until the next change that was foreseen.
"""

from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

from metrics.certification.cases import PersonCase
from metrics.certification.chain import Rulebook

ENGINE = (
    1  # to be raised where a release derives something else from the same, so that everybody touched is derived anew
)


def mark_of(book: Rulebook) -> int:
    """A number for the rule: its versions, when each came to be and was applied to older awards, and the zone."""
    versions = [book.by_version[version] for version in sorted(book.by_version)]
    return _digest(repr((ENGINE, versions, book.learnt, book.regraded, book.zone.key)).encode())


def inputs_of(case: PersonCase, code: str, mark: int) -> int:
    """A number for all that the person's certification depends on, beside the other certifications that its rule looks at."""
    pieces = case.pieces if case.by_code is None else case.by_code.get(code, ())
    numbers = [mark, *(piece.id for piece in pieces)]
    numbers += (number for piece in pieces if piece.voided_at for number in (piece.id, _microseconds(piece.voided_at)))
    numbers += (_microseconds(piece.achieved_at) for piece in pieces if piece.id < 0)  # an enrolment may begin again
    decided, duties = case.decided.get(code), case.duties.get(code)
    if decided or duties:
        numbers.append(_digest(repr((list(_decided(decided or ())), duties)).encode()))
    return _digest(array("q", numbers).tobytes())


def to_derive(
    case: PersonCase,
    books: Mapping[str, Rulebook],
    marks: Mapping[str, int],
    holdings: Mapping[tuple[int, str], Any],
    now: datetime,
) -> set[str]:
    """The certifications of the person that may differ from what is stored about them; `holdings` are the stored rows.

    Those that look at one of these, or are looked at by it, are to be derived with it.
    """
    found = set(case.wanted)  # the answer about a promotion is given from what is derived
    for code, book in books.items():
        row = holdings.get((case.person_id, code))
        if row is None:
            known = any((case.person_id, other) in holdings for other in book.criteria.codes)
            if known or code in case.duties or code in case.decided or code in (case.by_code or ()):
                found.add(code)
        elif not _stands(row, now) or row.inputs != inputs_of(case, code, marks[code]):
            found.add(code)
    return found


def _stands(row: Any, now: datetime) -> bool:
    """Whether time has changed nothing; the clock may have been put back, too."""
    return (
        row.derived_at is not None
        and row.derived_at <= now
        and (row.next_change_at is None or now < row.next_change_at)
    )


def _decided(rows: Any) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield row.id, row.kind, row.decided_at, row.starts_at, row.ends_at, row.withdrawn_at, row.undoes_id


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), signed=True)
