"""Mails about certificates that employees hand in: who is told what, in which language, and never twice."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from metrics.certification import assessments
from metrics.certification.acting import By
from metrics.certification.assessment_entries import Entry
from metrics.certification.assessment_mails import tell_assessors, tell_employee
from metrics.certification.assessment_models import Assessment
from metrics.certification.certificates import Upload
from metrics.certification.rules import import_rule
from plugin import people
from plugin.accounts import create_account
from plugin.errors import RefusedError
from plugin.installation import Installation
from plugin.mail.rendering import Piece, Renderer
from plugin.models import Mail, Person
from plugin.people import Employee

RULE = 'code = "CRANE"\n[earn]\nassessed = { assessment = "LIFT" }\n[validity]\nlasts = "P1Y"\n'
VERA = By("vera", "assessor", "Vera Sommer")


class Scene:
    """Employee E1, who hands in, and accounts of every kind that may or may not be told."""

    def __init__(self, home: Installation) -> None:
        self.home, self.store = home, home.store
        joined = date(2020, 1, 1)
        employees = [
            Employee("E1", "Anna Costa", "anna@acme.example", joined_on=joined),
            Employee("E2", "王芳", "wang@acme.example", joined_on=joined),
            Employee("E3", "Left", "left@acme.example", joined_on=joined, left_on=date(2026, 1, 1)),
        ]
        accounts = {
            "vera": (["assessor"], None, "vera@acme.example", None),
            "wang": (["coordinator"], "E2", None, "zh_Hans_CN"),
            "anna": (["employee", "assessor"], "E1", None, "zh_Hans_CN"),
            "gone": (["assessor"], None, "gone@acme.example", None),
            "left": (["assessor"], "E3", None, None),
            "mute": (["assessor"], None, None, None),
            "hr": (["hr", "administrator", "auditor"], None, "hr@acme.example", None),
        }
        with self.store.write() as session:
            people.record_employees(session, employees, home.clock().date(), home.clock())
            import_rule(session, RULE, "test", home.clock())
            self.ids = dict(session.execute(select(Person.employee_number, Person.id)).all())
            for login, (roles, number, email, language) in accounts.items():
                account = create_account(session, login, None, roles, home.clock())
                account.person_id, account.email, account.language = self.ids.get(number or ""), email, language
                account.disabled_at = home.clock() if login == "gone" else None
        self.anna = By("anna", "employee", "Anna Costa", self.ids["E1"])

    def hand_in(self, days: int = 90) -> int:
        entry = Entry("LIFT", self.home.clock() - timedelta(days=days), issuer="Crane school")
        with self.store.write() as session:
            return assessments.hand_in(
                session, entry, Upload("c.pdf", b"%PDF-1.7\nx"), self.anna, self.home.clock(), 5
            ).id

    def mails(self) -> list[Mail]:
        with self.store.read() as session:
            return list(session.scalars(select(Mail).order_by(Mail.key)))

    def text(self, mail: Mail) -> str:
        content = Renderer.of(self.home).render(mail.language, [Piece(mail.template, mail.parameters)])
        return f"{content.subject}\n{content.text}"


@pytest.fixture
def scene(installation: Installation) -> Scene:
    """A scene on each database."""
    return Scene(installation)


def test_whoever_may_approve_is_told_once(scene: Scene) -> None:
    """Accounts in use that may approve and have an address are told, in their language; nobody else is, nor anybody twice."""
    number = scene.hand_in()
    told = {mail.recipient: mail for mail in scene.mails()}
    assert told.keys() == {"vera@acme.example", "wang@acme.example"}
    assert all(mail.digest for mail in told.values())
    english = scene.text(told["vera@acme.example"])
    assert "Anna Costa (E1) has handed in a certificate" in english
    assert f"/assessments/{number}" in english
    assert "Anna Costa（E1）交来了一份证书" in scene.text(told["wang@acme.example"])
    with scene.store.write() as session:
        assert tell_assessors(session, session.get_one(Assessment, number)) == 0
    assert len(scene.mails()) == 2


def test_what_is_refused_tells_nobody(scene: Scene) -> None:
    """A certificate that cannot be handed in leaves no mail behind."""
    scene.hand_in()
    with pytest.raises(RefusedError):
        scene.hand_in()
    assert len(scene.mails()) == 2


@pytest.mark.parametrize("approved", [True, False])
def test_the_employee_is_told_once_what_was_decided(scene: Scene, approved: bool) -> None:
    """Approved or declined, the employee gets one mail in the language of their account, with the reason."""
    number = scene.hand_in()
    with scene.store.write() as session:
        now = datetime(2026, 11, 24, tzinfo=UTC)
        if approved:
            assessments.approve(session, number, VERA, now, "saw the original")
        else:
            assessments.decline(session, number, "cannot be read", VERA, now)
    [mail] = [mail for mail in scene.mails() if mail.template == "handed_in_decided"]
    assert (mail.recipient, mail.language) == ("anna@acme.example", "zh_Hans_CN")
    said = scene.text(mail)
    assert ("saw the original" if approved else "cannot be read") in said
    assert ("未获批准" in said) is not approved
    mail.language = "en"
    assert ("is approved, and counts" if approved else "is not approved, and does not count") in scene.text(mail)
    with scene.store.write() as session:
        assert tell_employee(session, session.get_one(Assessment, number)) == 0


def test_an_employee_without_an_address_hinders_no_decision(scene: Scene) -> None:
    """Where nobody can be told, the certificate is approved all the same."""
    number = scene.hand_in()
    with scene.store.write() as session:
        session.get_one(Person, scene.ids["E1"]).email = "nowhere"
        assessments.approve(session, number, VERA, scene.home.clock())
    assert {mail.template for mail in scene.mails()} == {"handed_in"}
