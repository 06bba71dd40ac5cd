"""Applying a newer version of a rule to awards that were granted under an older one: somebody decides it, with a reason.

Awards granted under an older version stand until then. From the moment of the decision on the version decides in place
of itself and of all versions before it, from the beginning: awards are amended, revoked or granted accordingly. Asked as
of an earlier moment, they answer as before. The decision is kept for good.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from metrics.certification.models import Award, CertificationRegrade, CertificationRule, Holding
from plugin import people
from plugin.audit import record_act
from plugin.errors import NotFoundError, RefusedError
from plugin.store import hold

RULES = "certification_rules"  # held alone while a rule is stored or applied, shared while people are derived by rules


def load_regrades(session: Session) -> dict[str, list[tuple[datetime, int]]]:
    """When which version was applied to older awards, by the certification's code."""
    found: dict[str, list[tuple[datetime, int]]] = {}
    for row in regrades_of(session, None):
        found.setdefault(row.code, []).append((row.applied_at, row.version))
    return found


def regrades_of(session: Session, code: str | None) -> Iterable[CertificationRegrade]:
    """The decisions about one certification, or about all (None), oldest first."""
    query = select(CertificationRegrade).order_by(CertificationRegrade.applied_at, CertificationRegrade.id)
    return session.scalars(query if code is None else query.where(CertificationRegrade.code == code))


def version_to_apply(session: Session, code: str, version: int | None) -> int:
    """The version that a regrade applies: the newest unless one is named. Raises NotFoundError, RefusedError."""
    versions = set(session.scalars(select(CertificationRule.version).where(CertificationRule.code == code)))
    if not versions:
        raise NotFoundError(f"There is no certification {code!r}; 'certbridge certification list' names them.")
    wanted = max(versions) if version is None else version
    if wanted not in versions:
        raise NotFoundError(f"{code} has no version {wanted}; it has {', '.join(map(str, sorted(versions)))}.")
    if wanted == min(versions):
        raise RefusedError(f"Version {wanted} of {code} is its first: no award was granted under an older one.")
    applied = max((each.version for each in regrades_of(session, code)), default=0)
    if wanted <= applied:
        raise RefusedError(f"Version {applied} of {code} was applied to older awards already; name a newer version.")
    return wanted


def regrade(session: Session, code: str, version: int | None, actor: str, reason: str, now: datetime) -> int:
    """Apply a version (None: the newest) to awards granted under older ones; everybody whom it concerns is derived next.

    The version that was applied is returned. Raises NotFoundError, RefusedError.
    """
    if not reason.strip():
        raise RefusedError("Applying a version to older awards needs a reason; say why.")
    hold(session, RULES)
    wanted = version_to_apply(session, code, version)
    row = CertificationRegrade(
        code=code, version=wanted, applied_at=_moment(session, code, now), applied_by=actor, reason=reason.strip()
    )
    session.add(row)
    record_act(
        session, actor, "certification.regrade", code, now, reason=row.reason, after={"version": wanted}
    )  # fmt: skip
    holders = select(Holding.person_id).where(Holding.certification == code).order_by(Holding.person_id)
    for person_ids in session.scalars(holders).partitions(5000):
        people.touch(session, person_ids)
    return wanted


def _moment(session: Session, code: str, now: datetime) -> datetime:
    """When the decision counts from: after everything that was granted before it, if only just."""
    before = (
        session.scalar(select(func.max(Award.recorded_at)).where(Award.certification == code)),
        session.scalar(select(func.max(CertificationRule.created_at)).where(CertificationRule.code == code)),
        session.scalar(select(func.max(CertificationRegrade.applied_at)).where(CertificationRegrade.code == code)),
    )
    return max(now, *(moment + timedelta.resolution for moment in before if moment is not None))
