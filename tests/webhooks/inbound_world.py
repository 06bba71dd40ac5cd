"""What the tests of inbound events share: a sender at an application, and what its events did."""

import base64
import hashlib
import hmac
import json
from datetime import date, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from plugin.installation import Installation
from plugin.models import Assignment, Department, Grade, Person, Position
from plugin.people import Employee, record_employees
from plugin.web import create_app
from webhooks import inbound_work
from webhooks.inbound_models import InboundEvent
from webhooks.inbound_senders import add_sender

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


def signature(secret: str, message_id: str, moment: str, body: bytes) -> str:
    """The signature of Standard Webhooks, written down anew."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Hr:
    """An HR system that may send events, and a look at what came of them."""

    def __init__(self, home: Installation) -> None:
        self.home = home
        self.woken: list[str] = []
        home.wake = self.woken.append
        with home.store.write() as session:
            add_sender(session, home.keys, "hr", secret=SECRET, actor="test", now=home.clock())
            employees = [
                Employee("E1", "Ann Lee", "ann@acme.example", "Production", "Operator", "G1", "E9", date(2020, 1, 1)),
                Employee("E9", "Bo Chen", "bo@acme.example", "Production", "Leader", "G5", None, date(2015, 1, 1)),
            ]
            record_employees(session, employees, date(2025, 1, 1), home.clock())
        self.client: FlaskClient = create_app(home).test_client()
        self.number = 0

    def send(
        self,
        type_: str = "employee.left",
        data: Any = None,
        *,
        body: bytes | None = None,
        message_id: str | None = None,
        secret: str = SECRET,
        off: timedelta = timedelta(0),
        at: str = "2026-11-23T01:00:00Z",
        name: str = "hr",
        **headers: str,
    ) -> Any:
        """Send an event as signed now; a header given as '' is left out."""
        self.number += 1
        message_id = message_id if message_id is not None else f"evt_{self.number}"
        said = {"type": type_, "timestamp": at, "data": data if data is not None else {}}
        sent = json.dumps(said, ensure_ascii=False).encode() if body is None else body
        moment = str(int((self.home.clock() + off).timestamp()))
        given = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": moment,
            "webhook-signature": signature(secret, message_id, moment, sent),
        } | {header.replace("_", "-"): value for header, value in headers.items()}
        return self.client.post(
            f"/api/v1/inbound/{name}", data=sent, headers={key: value for key, value in given.items() if value}
        )

    def tell(self, type_: str, at: str = "2026-11-23T01:00:00Z", **data: Any) -> InboundEvent:
        """Send an event that is taken, work on what waits, and say what became of it."""
        answer = self.send(type_, data, at=at)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        inbound_work.work(self.home)
        return self.events()[-1]

    def events(self) -> list[InboundEvent]:
        """Every event, as it came."""
        with self.home.store.read() as session:
            return list(session.scalars(select(InboundEvent).order_by(InboundEvent.id)))

    def person(self, number: str) -> Person | None:
        """The employee of this number."""
        with self.home.store.read() as session:
            return session.scalars(select(Person).where(Person.employee_number == number)).one_or_none()

    def places(self, number: str) -> list[tuple[Any, ...]]:
        """Where somebody stood: from, until, department, position, grade, manager."""
        with self.home.store.read() as session:
            rows = session.execute(
                select(
                    Assignment.valid_from, Assignment.valid_until, Department.code, Position.code, Grade.code,
                    Assignment.manager_number,
                )
                .join(Person, Person.id == Assignment.person_id)
                .outerjoin(Department, Department.id == Assignment.department_id)
                .outerjoin(Position, Position.id == Assignment.position_id)
                .outerjoin(Grade, Grade.id == Assignment.grade_id)
                .where(Person.employee_number == number)
                .order_by(Assignment.valid_from)
            )  # fmt: skip
            return [tuple(row) for row in rows]

    def move_clock(self, moment: datetime) -> None:
        """Let it be `moment`."""
        self.home.clock.moment = moment  # type: ignore[attr-defined]
