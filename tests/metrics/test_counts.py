"""The lines of `metrics` on the start page."""

from datetime import UTC, date, datetime

from metrics.certification.assessment_models import Assessment
from metrics.certification.models import Decision, Holding, Promotion
from metrics.counts import summaries
from plugin.models import Person
from plugin.store import Store
from plugin.summaries import Summary

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_summaries(store: Store) -> None:
    """Holdings are counted by status, open promotion records by eligibility, closed ones not at all."""
    with store.write() as session:
        session.add(Person(id=1, employee_number="1", name="A", created_at=NOW, changed_at=NOW))
        session.flush()
        for code, status in [("A", "expired"), ("B", "certified"), ("C", "certified")]:
            session.add(Holding(person_id=1, certification=code, status=status, since=NOW, required=True))
        for name, eligibility, closed in [("1", "blocked", None), ("2", None, None), ("3", "eligible", NOW)]:
            session.add(
                Promotion(
                    promotion_id=name,
                    person_id=1,
                    kind="promotion",
                    effective_on=date(2027, 1, 1),
                    proposed_at=NOW,
                    closed_at=closed,
                    eligibility=eligibility,
                    requirements=[],
                )
            )
        session.flush()
        assert summaries(session, NOW) == [
            Summary("Certifications", 3, {"certified": 2, "expired": 1}, "metrics.people"),
            Summary("Promotion records", 2, {"blocked": 1, "not answered yet": 1}, "metrics.promotions"),
        ]


def test_what_waits_is_counted_only_while_it_waits(store: Store) -> None:
    """Certificates to approve and proposals to decide have a line each, which is absent when nothing waits."""
    with store.write() as session:
        session.add(Person(id=1, employee_number="1", name="A", created_at=NOW, changed_at=NOW))
        session.flush()
        assert [summary.title for summary in summaries(session, NOW)] == ["Certifications", "Promotion records"]
        for state in ("handed_in", "handed_in", "recorded", "declined"):
            session.add(
                Assessment(
                    person_id=1, assessment="A", state=state, achieved_at=NOW, entered_by="a", entered_name="A",
                    entered_role="employee", entered_at=NOW,
                )
            )  # fmt: skip
        for state in ("proposed", "done"):
            session.add(
                Decision(
                    person_id=1, certification="A", kind="revoke", state=state, reason="r", proposed_by="c",
                    proposed_role="coordinator", proposed_at=NOW,
                )
            )  # fmt: skip
        session.flush()
        assert summaries(session, NOW)[2:] == [
            Summary("Certificates to approve", 2, {}, "assessments.listing"),
            Summary("Proposals to decide", 1, {}, "decisions.listing"),
        ]
