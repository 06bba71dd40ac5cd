"""Mail: queued with what it tells, sent at most once by a real SMTP server, and safe against what is put into it."""

import asyncio
import base64
import email
import email.policy
import hashlib
import json
import logging
import re
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import click
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient
from sqlalchemy import select, update

from plugin import schedules
from plugin.accounts import create_account
from plugin.cli import Command, Context
from plugin.errors import NotFoundError, RefusedError, SettingsError
from plugin.installation import Installation
from plugin.mail import keeping, states
from plugin.mail.addresses import checked_address, checked_sender
from plugin.mail.alerts import queue_alert
from plugin.mail.queue import MASK, Draft, queue_mail, queue_mails, retry_mail
from plugin.mail.rendering import FRAME, Piece, Renderer
from plugin.mail.sending import PostOffice, Tally, send_due
from plugin.mail.tasks import forget_mail, send_mail
from plugin.mail_commands import register
from plugin.models import AuditEntry, Mail
from plugin.secrets import KeyRing, create_key_file
from plugin.settings import MailSettings, Settings, load_settings
from plugin.web import create_app

ROOT = Path(__file__).parents[2]
PASSWORD = "hunter2 and a space"


@dataclass
class Inbox:
    """An SMTP server's side of it: what has arrived, and what it is told to answer."""

    got: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    answer: Callable[[str, EmailMessage], Any] = lambda _to, _mail: "250 taken"
    answer_to: Callable[[str], str] = lambda _to: "250 yes"
    connections: int = 0
    port: int = 0
    raw: list[bytes] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> Any:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        answer = self.answer_to(address)
        if answer == "cut":
            server.transport.abort()
            return "421 bye"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        answer = self.answer(envelope.rcpt_tos[0], mail)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer == "cut":
            server.transport.abort()
            return "421 bye"
        if answer.startswith("2"):
            self.got.append((envelope.mail_from, envelope.rcpt_tos, mail))
            self.raw.append(envelope.original_content)
        return str(answer)

    @property
    def subjects(self) -> list[str]:
        return [mail["Subject"] for _, _, mail in self.got]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve() -> Iterator[Callable[..., Inbox]]:
    """Starts SMTP servers on loopback, and ends them afterwards."""
    controllers: list[Controller] = []

    def start(**options: Any) -> Inbox:
        inbox = Inbox(port=options.pop("port", None) or free_port())
        controllers.append(Controller(inbox, hostname="127.0.0.1", port=inbox.port, **options))
        controllers[-1].start()
        return inbox

    yield start
    for controller in controllers:
        controller.stop()


@pytest.fixture
def inbox(serve: Callable[..., Inbox]) -> Inbox:
    """A server without encryption that takes everything."""
    return serve()


@pytest.fixture
def office(kernel: Installation, tmp_path: Path) -> Callable[..., PostOffice]:
    """Makes the post office of the kernel with these keys of `[mail]`, on both databases."""
    create_key_file(tmp_path / "secret.key")

    def make(**keys: Any) -> PostOffice:
        values = {"mail": keys, "organisation": kernel.settings.organisation.model_dump()}
        settings = Settings.model_validate({**values, "secrets": {"key_file": str(tmp_path / "secret.key")}})
        settings._folder = tmp_path
        return PostOffice.of(replace(kernel, settings=settings))

    return make


def to(inbox: Inbox, **keys: Any) -> dict[str, Any]:
    """The keys of `[mail]` that lead to this server."""
    return {"host": "127.0.0.1", "port": inbox.port, "security": "none", "sender": "CB <cb@acme.example>", **keys}


def draft(key: str = "k", recipient: str = "mei@acme.example", **values: Any) -> Draft:
    """A test mail."""
    parameters = {"by": "somebody", "at": datetime(2026, 11, 23, 2, 0, tzinfo=UTC)}
    return Draft(key, recipient, **{"template": "test", "parameters": parameters, **values})


def queue(home: Installation, *drafts: Draft) -> int:
    """Queue in a transaction of its own."""
    with home.store.write() as session:
        return queue_mails(session, drafts, home.clock(), home.keys if any(one.secrets for one in drafts) else None)


def mails(home: Installation) -> list[Mail]:
    """All mails, in the order of their keys."""
    with home.store.read() as session:
        return list(session.scalars(select(Mail).order_by(Mail.key)))


def state(home: Installation) -> list[tuple[str, str | None]]:
    """The states and reasons of all mails."""
    return [(mail.state, mail.reason) for mail in mails(home)]


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, but for what the server of the test logs."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name != "mail.log")


def part(mail: EmailMessage, kind: str) -> str:
    """The text or the HTML of a mail."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


# ── Queueing ──


def test_the_same_mail_is_never_queued_twice(kernel: Installation) -> None:
    """A second mail with the same key is not queued: within one call, in a later one, and after the first was sent."""
    assert queue(kernel, draft("a"), draft("a"), draft("b")) == 2
    assert queue(kernel, draft("b", recipient="other@acme.example"), draft("c")) == 1
    with kernel.store.write() as session:
        assert not queue_mail(session, draft("c"), kernel.clock())
    assert [(mail.key, mail.state, mail.recipient) for mail in mails(kernel)] == [
        ("a", "waiting", "mei@acme.example"),
        ("b", "waiting", "mei@acme.example"),
        ("c", "waiting", "mei@acme.example"),
    ]


def test_a_mail_is_queued_with_what_it_tells_or_not_at_all(kernel: Installation) -> None:
    """When the caller's transaction fails, nothing is told."""

    def fail() -> None:
        with kernel.store.write() as session:
            queue_mail(session, draft(), kernel.clock())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert mails(kernel) == []


BAD_ADDRESSES = [
    "", "nobody", "@acme.example", "a@", "a@b@c", "a b@acme.example", "a@acme.example, b@acme.example", "a@acme..example",
    "a@acme.example\nBcc: all@acme.example", "a@acme.example\r\nDATA", "a@acme.example\n", "<a@acme.example>", "a@-acme.example",
    '"a b"@acme.example', "a@acme.example\x00", "a\u200b@acme.example", "中@acme.example", "a.@acme.example", "a" * 65 + "@acme.example",
    "a@" + "b" * 64 + ".example", "a@" + "b." * 130 + "example", "a@[127.0.0.1]", "a@acme.example>\r\nRCPT TO:<b@acme.example",
]  # fmt: skip


def test_what_is_no_address_hinders_nobody(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """A mail to something that is no address is recorded as failed, and nothing of it reaches the server."""
    queue(kernel, *(draft(f"{number:02}", recipient=text) for number, text in enumerate(BAD_ADDRESSES)), draft("ok"))
    assert set(state(kernel)[:-1]) == {("failed", states.NO_ADDRESS)}
    assert send_due(office(**to(inbox))) == Tally(sent=1)
    assert [recipients for _, recipients, _ in inbox.got] == [["mei@acme.example"]]
    with kernel.store.write() as session, pytest.raises(RefusedError, match="has no mail address"):
        retry_mail(session, mails(kernel)[0].id, "boss", kernel.clock())


@pytest.mark.parametrize("text", BAD_ADDRESSES)
def test_bad_addresses_are_refused_without_being_repeated(text: str) -> None:
    """The check says what an address is, and not what was given."""
    with pytest.raises(ValueError, match="this is no mail address") as refused:
        checked_address(text)
    assert str(refused.value) == "this is no mail address; write for instance name@acme.example"


def test_good_addresses_are_taken_as_they_are() -> None:
    """Unusual local parts stay, spaces around it go, an international domain is written as DNS does."""
    for text in ("a.b+c_d'e@sub.acme.example", "x@localhost"):
        assert checked_address(f" {text} ") == text
    assert checked_address("li@例子.example") == "li@xn--fsqu00a.example"


def test_a_drafts_author_hears_of_mistakes(kernel: Installation) -> None:
    """An overlong key, secrets without keys and secrets in a digest are refused at once."""
    for wrong in (draft("k" * 301), draft(secrets={"link": "x"}), draft(secrets={"link": "x"}, digest=True)):
        with kernel.store.write() as session, pytest.raises(ValueError, match=r"key of a mail|with secrets"):
            queue_mail(session, wrong, kernel.clock())


# ── Sending ──


def test_a_mail_arrives_with_text_and_html(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """The mail that arrives has the headers of one that no machine answers, and says the same as text and as HTML."""
    queue(kernel, draft(language="en"))
    assert send_due(office(**to(inbox))) == Tally(sent=1)
    [(sender, recipients, mail)] = inbox.got
    assert (sender, recipients) == ("cb@acme.example", ["mei@acme.example"])
    assert (mail["From"], mail["To"]) == ("CB <cb@acme.example>", "mei@acme.example")
    assert mail["Subject"] == "Test mail from CertBridge"
    assert mail["Date"].datetime == kernel.clock()
    assert mail["Message-ID"] == f"<{mails(kernel)[0].uid}@acme.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        assert "That it has arrived means" in part(mail, kind)
        assert "2026-11-23 10:00 (Asia/Shanghai)" in part(mail, kind)
        assert "for Acme" in part(mail, kind)
    assert inbox.raw[0].isascii()
    assert max(map(len, inbox.raw[0].splitlines())) < 998
    [sent] = mails(kernel)
    assert (sent.state, sent.tries, sent.finished_at) == ("sent", 1, kernel.clock())
    assert sent.content is not None
    assert sent.content["text"].split() == part(mail, "plain").split()
    assert send_due(office(**to(inbox))) == Tally()


def test_a_chinese_mail_arrives_whole(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """Subject, sender's name and both parts come back as they were written, a long subject too."""
    name = "数据源 上海 " * 20
    parameters = {"kind": "source", "name": name, "reason": "无法连接", "since": kernel.clock()}
    queue(
        kernel,
        draft("1", language="zh_Hans_CN"),
        draft("2", template="alert", parameters=parameters, language="zh_Hans_CN"),
    )
    send_due(office(**to(inbox, sender="证书桥 <cb@acme.example>")))
    first, second = (mail for _, _, mail in inbox.got)
    assert first["Subject"] == "CertBridge 测试邮件"
    assert first["From"].addresses[0].display_name == "证书桥"
    assert "这是一封测试邮件" in part(first, "plain")
    assert '<html lang="zh-Hans-CN">' in part(first, "html")
    subject = mails(kernel)[1].content["subject"]  # type: ignore[index]
    assert subject.startswith("数据源 数据源 上海 数据源 上海")
    assert second["Subject"] == subject
    assert "无法连接" in part(second, "plain")
    assert inbox.raw[1].isascii()


def test_a_language_that_there_is_not_is_the_organisations(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """Without a language, or with an unknown one, a mail is in the organisation's."""
    queue(kernel, draft("1"), draft("2", language="tlh"))
    organisation = kernel.settings.organisation.model_copy(update={"language": "zh_Hans_CN"})
    chinese = Renderer.of(replace(kernel, settings=kernel.settings.model_copy(update={"organisation": organisation})))
    send_due(replace(office(**to(inbox)), renderer=chinese))
    assert inbox.subjects == ["CertBridge 测试邮件"] * 2


EVIL = "x\r\nBcc: all@acme.example\r\n\r\n.\r\nDATA\u2028\x00\x1b[31m <script>alert(1)</script> {{ 7*7 }} %(name)s"


def test_headers_and_html_are_safe_from_what_is_put_in(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """Line breaks in a parameter add no header and no mail, markup stays text, a lone dot ends nothing."""
    parameters = {"kind": "source", "name": EVIL, "reason": f"{EVIL}\r\n.\r\nQUIT", "since": kernel.clock()}
    queue(kernel, draft("1", template="alert", parameters=parameters), draft("2"))
    assert send_due(office(**to(inbox))) == Tally(sent=2)
    mail = inbox.got[0][2]
    assert sorted(mail.keys()) == [
        "Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To",
    ]  # fmt: skip
    assert "x Bcc: all@acme.example . DATA" in mail["Subject"]
    assert "<script" not in part(mail, "html")
    assert "&lt;script&gt;" in part(mail, "html")
    assert "{{ 7*7 }} %(name)s" in part(mail, "plain")
    assert "\n.\n" in part(mail, "plain").replace("\r\n", "\n").replace("\r", "\n")
    assert [recipients for _, recipients, _ in inbox.got] == [["mei@acme.example"]] * 2


def test_a_link_that_is_no_web_address_is_no_link(kernel: Installation) -> None:
    """A button leads to http and https only; whatever else it is given is shown as text."""
    parameters = {"login": "mei", "expires_at": "2026-11-23T02:00:00+00:00"}
    for link, leads in (("https://cb.example/r?a=1&b", True), ("javascript:alert(1)", False), (MASK, False)):
        content = Renderer.of(kernel).render("en", [Piece("password_reset", {**parameters, "link": link})])
        assert ("href=" in content.html) is leads
        assert link in content.text


def test_settings_refuse_a_sender_with_line_breaks(tmp_path: Path) -> None:
    """The sender's name and address are checked when they are read; a password is never sent in clear."""
    for text in (
        "CB\n <cb@acme.example>",
        "CB <cb@acme.example>\r\nBcc: x@y.example",
        "CB",
        "CB <cb@acme>, b@c.example",
    ):
        with pytest.raises(ValueError, match="write for instance"):
            checked_sender(text)
    path = tmp_path / "config.toml"
    for line, says in (
        ("sender = 'hunter2'", "mail.sender: this is no mail address"),
        ("operators = ['hunter2']", "mail.operators.0: this is no mail address"),
        ("password = 'hunter2'", "mail.password: a secret is not written here"),
        ("user = 'hunter2'\nsecurity = 'none'", "a password is not sent in clear"),
        ("security = 'hunter2'", "mail.security"),
        ("digest_after = 'hunter2'", "mail.digest_after"),
    ):
        path.write_text(f"[mail]\n{line}\n", encoding="utf-8")
        with pytest.raises(SettingsError, match=re.escape(says)) as refused:
            load_settings(path, {})
        assert "hunter2" not in str(refused.value)


# ── What the server answers ──


def test_several_mails_go_through_one_connection(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """One connection carries many mails, also when one of them is refused."""
    inbox.answer_to = lambda address: "550 5.1.1 no such user" if address.startswith("n2@") else "250 yes"
    queue(kernel, *(draft(f"{number}", recipient=f"n{number}@acme.example") for number in range(5)))
    assert send_due(office(**to(inbox))) == Tally(sent=4, ended=1)
    assert (len(inbox.got), inbox.connections) == (4, 1)
    assert state(kernel)[2] == ("failed", "The mail server refused the mail (550 5.1.1 no such user).")


def test_a_connection_is_changed_before_the_server_tires(
    kernel: Installation, office: Any, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many mails a new connection is made."""
    monkeypatch.setattr("plugin.mail.sending.PER_CONNECTION", 2)
    queue(kernel, *(draft(f"{number}") for number in range(5)))
    assert send_due(office(**to(inbox))) == Tally(sent=5)
    assert inbox.connections == 3


def test_what_the_server_does_not_take_for_now_is_tried_again(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """After a 4xx the mail waits longer each time; after the last attempt it is given up, and a person may retry it."""
    inbox.answer_to = lambda address: "451 4.7.1 greylisted" if address.startswith("grey@") else "250 yes"
    queue(kernel, draft("1", recipient="grey@acme.example"), draft("2"))
    post = office(**to(inbox, retry_seconds=[60, 300]))
    assert send_due(post) == Tally(sent=1, again=1)
    reason = "The mail server does not take the mail for now (451 4.7.1 greylisted)."
    assert state(kernel) == [("waiting", reason), ("sent", None)]
    for wait, tally in ((59, Tally()), (1, Tally(again=1)), (299, Tally()), (1, Tally(ended=1))):
        kernel.clock.moment += timedelta(seconds=wait)  # type: ignore[attr-defined]
        assert send_due(post) == tally
    assert state(kernel)[0] == ("given_up", reason)
    inbox.answer_to = lambda _address: "250 yes"
    with kernel.store.write() as session:
        retry_mail(session, mails(kernel)[0].id, "boss", kernel.clock())
    assert send_due(post) == Tally(sent=1)
    with kernel.store.read() as session:
        act = session.scalars(select(AuditEntry)).one()
    assert (act.actor, act.action, act.before) == ("boss", "mail.retry", {"state": "given_up", "tries": 3})


def test_a_refusal_of_the_content_has_its_reason(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """A mail that the server refuses after it has read it has failed with what the server said, and no secret in it."""
    link = "https://cb.example/reset?token=hunter2"
    parameters = {"login": "mei", "expires_at": kernel.clock() + timedelta(hours=1)}
    inbox.answer = lambda _to, mail: f"554 5.7.1 spam: {link} in it" if "hunter2" in part(mail, "plain") else "250 ok"
    post = office(**to(inbox))
    keys = draft(template="password_reset", parameters=parameters, secrets={"link": link})
    with kernel.store.write() as session:
        queue_mail(session, keys, kernel.clock(), key_ring(post))
    assert send_due(post) == Tally(ended=1)
    assert state(kernel) == [("failed", "The mail server refused the mail (554 5.7.1 spam: … in it).")]


def key_ring(post: PostOffice) -> KeyRing:
    """The keys of this post office."""
    return KeyRing.from_file(post.folder / "secret.key")


@pytest.mark.parametrize("when", ["before", "within"])
def test_where_a_connection_is_cut_decides(kernel: Installation, office: Any, inbox: Inbox, when: str) -> None:
    """Cut before the mail was handed over it is tried again; cut within it is unknown, and others go on."""
    cut = [True]

    def once(*_: Any) -> str:
        return "cut" if cut and cut.pop() else "250 yes"

    if when == "before":
        inbox.answer_to = once
    else:
        inbox.answer = once
    queue(kernel, draft("1"), draft("2"))
    tally = send_due(office(**to(inbox)))
    if when == "before":
        assert tally == Tally(sent=1, again=1)
        assert state(kernel)[0][0] == "waiting"
        assert str(state(kernel)[0][1]).startswith(states.CUT.rstrip("."))
    else:
        assert tally == Tally(sent=1, unknown=1)
        assert state(kernel)[0][0] == "unknown"
        assert str(state(kernel)[0][1]).startswith(states.CUT_WITHIN.rstrip("."))
    assert len(inbox.got) == 1
    kernel.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    send_due(office(**to(inbox)))
    assert len(inbox.got) == (2 if when == "before" else 1)


def test_without_a_connection_everything_due_waits(
    kernel: Installation, office: Any, serve: Callable[..., Inbox], caplog: pytest.LogCaptureFixture
) -> None:
    """No server is an attempt at all that is due, once; when it is back, all is sent; what has had its attempts is not."""
    port = free_port()
    away = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "retry_seconds": [60, 60],
        "sender": "cb@acme.example",
    }
    queue(kernel, draft("1"), draft("2"))
    assert send_due(office(**away)) == Tally(again=2)
    kernel.clock.moment += timedelta(seconds=60)  # type: ignore[attr-defined]
    queue(kernel, draft("3"))
    assert send_due(office(**away)) == Tally(again=3)
    assert [mail.tries for mail in mails(kernel)] == [2, 2, 1]
    assert state(kernel)[0] == ("waiting", "There is no connection to the mail server (Connection refused).")
    assert "No mail can be sent now: There is no connection" in caplog.text
    kernel.clock.moment += timedelta(seconds=60)  # type: ignore[attr-defined]
    assert send_due(office(**away)) == Tally(again=1, ended=2)
    kernel.clock.moment += timedelta(seconds=60)  # type: ignore[attr-defined]
    back = serve(port=port)
    assert send_due(office(**away)) == Tally(sent=1)
    assert [one for one, _ in state(kernel)] == ["given_up", "given_up", "sent"]
    assert len(back.got) == 1


# ── Encryption and signing in ──


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 of its own authority, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def guarded(serve: Callable[..., Inbox], certificate: Path) -> Inbox:
    """A server that wants STARTTLS and then a user and a password."""

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        fits = isinstance(data, LoginPassword) and (data.login, data.password) == (b"cb-user", PASSWORD.encode())
        return AuthResult(success=fits, handled=fits, message=None if fits else f"535 5.7.8 not {PASSWORD}")

    return serve(
        tls_context=server_context(certificate), require_starttls=True, authenticator=authenticate, auth_required=True
    )


def signed_in(inbox: Inbox, certificate: Path, **keys: Any) -> dict[str, Any]:
    """The keys of `[mail]` for the guarded server."""
    own = {"security": "starttls", "ca_file": str(certificate), "user": "cb-user", "password": {"env": "TEST_MAIL"}}
    return to(inbox, **{**own, **keys})


def test_starttls_and_signing_in(
    kernel: Installation, office: Any, guarded: Inbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the authority's certificate and the right password a mail arrives, encrypted."""
    monkeypatch.setenv("TEST_MAIL", PASSWORD)
    queue(kernel, draft())
    assert send_due(office(**signed_in(guarded, certificate))) == Tally(sent=1)


def test_tls_from_the_first_byte(
    kernel: Installation, office: Any, serve: Callable[..., Inbox], certificate: Path
) -> None:
    """`security = "tls"` speaks TLS at once."""
    inbox = serve(ssl_context=server_context(certificate))
    queue(kernel, draft())
    assert send_due(office(**to(inbox, security="tls", ca_file=str(certificate)))) == Tally(sent=1)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"password": {"env": "TEST_WRONG"}}, "The mail server does not let us sign in (535)."),
        ({"password": {"env": "TEST_MISSING"}}, "The password for the mail server is not there."),
        ({"user": "nobody"}, "The mail server does not let us sign in (535)."),
        ({"password": {"env": "TEST_CHINESE"}}, "The mail server does not let us sign in (user and password must be ASCII)."),
        ({"ca_file": ""}, "No encrypted connection to the mail server came about (certificate: self-signed certificate)."),
        ({"ca_file": "nowhere.pem"}, "No encrypted connection to the mail server came about (ca_file: No such file or directory)."),
        ({"host": "localhost"}, "No encrypted connection to the mail server came about (certificate: Hostname mismatch, "),
    ],
)  # fmt: skip
def test_what_hinders_a_connection_is_said_without_secrets(
    kernel: Installation, office: Any, guarded: Inbox, certificate: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, keys: dict[str, Any], says: str,
) -> None:  # fmt: skip
    """A wrong password, an unknown authority, another name: the mail waits with the reason, without user and password."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TEST_MAIL", PASSWORD)
    monkeypatch.setenv("TEST_WRONG", "hunter2 wrong")
    monkeypatch.setenv("TEST_CHINESE", "hunter2 中文")
    queue(kernel, draft())
    assert send_due(office(**signed_in(guarded, certificate, **keys))) == Tally(again=1)
    [(one, reason)] = state(kernel)
    assert one == "waiting"
    assert str(reason).startswith(says)
    for text in (logged(caplog), str(reason)):
        assert "hunter2" not in text
        assert "cb-user" not in text
    assert guarded.got == []


def test_encryption_is_never_given_up(
    kernel: Installation, office: Any, inbox: Inbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that offers no STARTTLS, or somebody between who hides it, gets neither password nor mail."""
    monkeypatch.setenv("TEST_MAIL", PASSWORD)
    queue(kernel, draft())
    assert send_due(office(**signed_in(inbox, certificate))) == Tally(again=1)
    assert state(kernel)[0][1] == "No encrypted connection to the mail server came about (not offered)."
    assert inbox.got == []


# ── Secrets of a mail ──


def test_the_link_of_a_mail_stands_nowhere_in_clear(
    kernel: Installation, office: Any, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A password link arrives, and is encrypted in the store until then, masked in what is kept, in no log."""
    caplog.set_level(logging.DEBUG)
    link = "https://cb.example/reset?token=hunter2&a=b"
    post = office(**to(inbox))
    parameters = {"login": "mei", "expires_at": kernel.clock() + timedelta(hours=1)}
    one = draft(template="password_reset", parameters=parameters, secrets={"link": link})
    assert "hunter2" not in repr(one)
    with kernel.store.write() as session:
        queue_mail(session, one, kernel.clock(), key_ring(post))
    [queued] = mails(kernel)
    assert json.loads(key_ring(post).decrypt(queued.sealed or "")) == {"link": link}
    assert "hunter2" not in json.dumps([queued.parameters, queued.sealed])
    assert send_due(post) == Tally(sent=1)
    mail = inbox.got[0][2]
    assert link in part(mail, "plain")
    assert f'href="{link.replace("&", "&amp;")}"' in part(mail, "html")
    [sent] = mails(kernel)
    assert sent.sealed is None
    assert MASK in json.dumps(sent.content, ensure_ascii=False)
    assert "hunter2" not in json.dumps([sent.content, sent.parameters]) + logged(caplog)


def test_what_is_of_no_use_any_more_is_not_sent(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """A mail that has waited until it is of no use is given up, and cannot be sent again; its secret is removed."""
    post = office(**to(inbox))
    until = kernel.clock() + timedelta(hours=1)
    parameters = {"login": "mei", "expires_at": until}
    one = draft(template="password_reset", parameters=parameters, secrets={"link": "https://x"}, until=until)
    with kernel.store.write() as session:
        queue_mail(session, one, kernel.clock(), key_ring(post))
    kernel.clock.moment += timedelta(hours=1)  # type: ignore[attr-defined]
    assert send_due(post) == Tally()
    assert state(kernel) == [("given_up", states.NO_LONGER_OF_USE)]
    with kernel.store.write() as session, pytest.raises(RefusedError, match="of no use any more"):
        retry_mail(session, mails(kernel)[0].id, "boss", kernel.clock())
    assert mails(kernel)[0].sealed is not None
    forget_mail(replace(kernel), None)
    assert mails(kernel)[0].sealed is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"template": "nothing_such"}, "The mail cannot be made (template nothing_such, TemplateNotFound)."),
        ({"template": "../layout"}, "The mail cannot be made (template ../layout, ValueError)."),
        ({"template": "alert", "parameters": {"kind": "hunter2"}}, "The mail cannot be made (template alert, UndefinedError)."),
        ({"parameters": {"by": "x", "at": "hunter2"}}, "The mail cannot be made (template test, ValueError)."),
    ],
)  # fmt: skip
def test_a_mail_that_cannot_be_made_holds_up_no_other(
    kernel: Installation, office: Any, inbox: Inbox, values: dict[str, Any], says: str
) -> None:
    """A missing or broken template is a failure with its name, without the parameters; the next mail is sent."""
    queue(kernel, draft("1", **values), draft("2"))
    assert send_due(office(**to(inbox))) == Tally(sent=1, ended=1)
    assert state(kernel) == [("failed", says), ("sent", None)]


# ── Digests ──


def test_mails_to_one_recipient_are_put_together(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """What may be put together waits for the period, then is one mail per recipient and language; one alone goes as it is."""
    post = office(**to(inbox, digest_after="PT1H"))
    alert = {"kind": "source", "name": "moodle", "reason": "<b>down</b>", "since": kernel.clock()}
    queue(
        kernel,
        draft("1", digest=True),
        draft("2", digest=True, language="en", recipient="li@acme.example"),
        draft("3", digest=True, language="zh_Hans_CN", recipient="li@acme.example"),
        draft("5", recipient="mei@acme.example"),
    )
    assert send_due(post) == Tally(sent=1)
    kernel.clock.moment += timedelta(minutes=59)  # type: ignore[attr-defined]
    queue(kernel, draft("4", digest=True, template="alert", parameters=alert))
    assert send_due(post) == Tally()
    kernel.clock.moment += timedelta(minutes=1)  # type: ignore[attr-defined]
    assert send_due(post) == Tally(sent=3)
    assert sorted(inbox.subjects[1:]) == [
        "2 messages from CertBridge",
        "CertBridge 测试邮件",
        "Test mail from CertBridge",
    ]
    [digest] = [mail for _, _, mail in inbox.got if mail["Subject"].startswith("2")]
    chinese = Renderer.of(kernel).render("zh_Hans_CN", [Piece("test", {"by": "x", "at": "2026-11-23T02:00:00Z"})] * 2)
    assert chinese.subject == "来自 CertBridge 的 2 条消息"
    text, html = part(digest, "plain"), part(digest, "html")
    for body in (text, html):
        assert body.index("1. Test mail from CertBridge") < body.index("That it has arrived")
        assert body.index("That it has arrived") < body.index("2. The source moodle fails")
    assert "&lt;b&gt;down&lt;/b&gt;" in html
    assert html.count("<!doctype html>") == 1
    found = {mail.key: mail for mail in mails(kernel)}
    assert [found[key].state for key in "12345"] == ["joined", "sent", "sent", "joined", "sent"]
    assert found["1"].parent_id == found["4"].parent_id == found[f"digest:{found['1'].uid}"].id
    assert send_due(post) == Tally()
    assert queue(kernel, draft("4", digest=True)) == 0


def test_a_large_digest_is_several(
    kernel: Installation, office: Any, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No digest has more than so many parts, and none is lost."""
    monkeypatch.setattr(keeping, "LARGEST_DIGEST", 3)
    queue(kernel, *(draft(f"{number}", digest=True) for number in range(7)))
    kernel.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    assert send_due(office(**to(inbox))) == Tally(sent=3)
    assert sorted(inbox.subjects) == ["3 messages from CertBridge"] * 2 + ["Test mail from CertBridge"]


def test_putting_together_takes_the_same_statements_for_many(kernel: Installation, counted: Any) -> None:
    """The number of statements does not grow with the number of recipients."""
    numbers = []
    for people in (5, 50):
        queue(
            kernel,
            *(
                draft(f"{people}-{n}-{i}", recipient=f"n{n}@acme.example", digest=True)
                for n in range(people)
                for i in (1, 2)
            ),
        )
        kernel.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
        with counted(kernel) as statements, kernel.store.write() as session:
            assert keeping.join_digests(session, kernel.clock(), timedelta(hours=1)) == people
        numbers.append(len(statements))
    assert numbers[0] == numbers[1]


# ── Off and on ──


def test_what_is_queued_without_a_server_is_sent_when_there_is_one(
    kernel: Installation, office: Any, inbox: Inbox
) -> None:
    """Without a host mails are held; with one they are sent, unless they were held for longer than is sensible."""
    queue(kernel, draft("1"), draft("2", digest=True))
    assert send_due(office()) == Tally()
    assert state(kernel) == [("off", None)] * 2
    kernel.clock.moment += timedelta(days=6)  # type: ignore[attr-defined]
    queue(kernel, draft("3"))
    assert send_due(office()) == Tally()
    kernel.clock.moment += timedelta(days=1)  # type: ignore[attr-defined]
    assert send_due(office(**to(inbox))) == Tally(sent=1)
    assert state(kernel) == [("given_up", states.HELD_TOO_LONG)] * 2 + [("sent", None)]
    with kernel.store.write() as session:
        retry_mail(session, mails(kernel)[0].id, "boss", kernel.clock())
    assert send_due(office(**to(inbox))) == Tally(sent=1)


# ── Killed ──

# A process that sends the mails of a store to a server, by a clock that stands, and may stop between marking and sending.
CHILD = """
import json, sys, time
from datetime import datetime
from pathlib import Path
from plugin.installation import PACKAGES, Installation
from plugin.mail import sending
from plugin.mail.server import MailServer
from plugin.manifests import discover
from plugin.migrate import load_models
from plugin.settings import Settings
from plugin.store import Store

url, folder, now, keys, stop = sys.argv[1:]
addons = discover([], PACKAGES)
load_models(addons)
settings = Settings.model_validate({"mail": json.loads(keys)})
settings._folder = Path(folder)
home = Installation(settings, addons, Store(url), lambda: datetime.fromisoformat(now))
send, sent = MailServer.send, []

def stopping(self, parcel):
    sent.append(parcel)
    if stop == "before" and len(sent) == 2:
        print("marked", flush=True)
        time.sleep(60)
    return send(self, parcel)

MailServer.send = stopping
sending.send_due(sending.PostOffice.of(home))
print("done", flush=True)
"""


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_killed_sender_has_sent_each_mail_at_most_once(
    kernel: Installation, office: Any, inbox: Inbox, tmp_path: Path, child: Any, when: str
) -> None:
    """SIGKILL between marking and sending, or while the server takes the mail: it is unknown, the others arrive once."""
    holding = threading.Event()

    async def hold(_to: str, _mail: EmailMessage) -> str:
        if when == "within" and len(inbox.got) == 1:
            inbox.got.append((_to, [_to], _mail))  # it is in the box before the sender hears of it
            holding.set()
            await asyncio.sleep(30)
        return "250 taken"

    inbox.answer = hold
    queue(kernel, *(draft(f"{number}", recipient=f"n{number}@acme.example") for number in range(4)))
    url = kernel.store.engine.url.render_as_string(hide_password=False)
    arguments = (url, str(tmp_path), kernel.clock().isoformat(), json.dumps(to(inbox)), when)
    process = child("-c", CHILD, *arguments)
    if when == "before":
        assert process.stdout.readline() == "marked\n", process.stderr.read()
    else:
        assert holding.wait(30)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [one for one, _ in state(kernel)] == ["sent", "sending", "waiting", "waiting"]
    inbox.answer = lambda _to, _mail: "250 taken"
    assert send_due(office(**to(inbox))) == Tally(sent=2, unknown=1)
    assert state(kernel)[1] == ("unknown", states.CRASHED)
    kernel.clock.moment += timedelta(days=3)  # type: ignore[attr-defined]
    assert send_due(office(**to(inbox))) == Tally()
    arrived = [recipients[0] for _, recipients, _ in inbox.got]
    assert len(arrived) == len(set(arrived)) == (3 if when == "before" else 4)
    with kernel.store.write() as session:
        retry_mail(session, mails(kernel)[1].id, "boss", kernel.clock())
    assert send_due(office(**to(inbox))) == Tally(sent=1)


def test_a_sender_that_was_only_slow_may_still_say_how_it_ended(
    kernel: Installation, office: Any, inbox: Inbox
) -> None:
    """A mail that another sender has called unknown becomes sent when its own sender comes back, but not a retried one."""
    post = office(**to(inbox))
    for again in (False, True):
        key = f"again {again}"
        queue(kernel, draft(key))

        def overtake(_to: str, _mail: EmailMessage, again: bool = again, key: str = key) -> str:
            with kernel.store.write() as session:
                keeping.recover(session, kernel.clock())
                if again:
                    found = session.scalars(select(Mail).where(Mail.key == key)).one()
                    retry_mail(session, found.id, "boss", kernel.clock() + timedelta(hours=1))
            return "250 taken"

        inbox.answer = overtake
        send_due(post)
        assert [mail.state for mail in mails(kernel) if mail.key == key] == ["waiting" if again else "sent"]


def test_rows_of_finished_mails_lose_what_is_personal(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """After so many days address and content are removed, and the key still stands; a forgotten person's at once."""
    queue(kernel, draft("1"), draft("2", recipient="Li@acme.example"))
    send_due(office(**to(inbox)))
    with kernel.store.write() as session:
        assert keeping.forget_recipient(session, "li@acme.example") == 1
    forget_mail(kernel, None)
    assert [mail.recipient for mail in mails(kernel)] == ["mei@acme.example", ""]
    kernel.clock.moment += timedelta(days=180)  # type: ignore[attr-defined]
    forget_mail(kernel, None)
    assert [(mail.recipient, mail.parameters, mail.content) for mail in mails(kernel)] == [("", {}, None)] * 2
    assert queue(kernel, draft("1")) == 0


def test_the_task_sends_and_is_cheap_when_there_is_nothing(
    kernel: Installation, inbox: Inbox, counted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The task sends what is due and says how much in the log; with nothing to do it asks the store once."""
    caplog.set_level(logging.INFO)
    home = replace(kernel, settings=Settings.model_validate({"mail": to(inbox)}))
    queue(kernel, draft())
    send_mail(home, None)
    assert "Mails sent: 1, to be tried again: 0, not sent: 0, unknown: 0" in caplog.text
    with counted(kernel) as statements:
        send_mail(home, None)
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1
    assert len(inbox.got) == 1


def test_operators_are_told_of_a_failure_once(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """Each operator is told once of a failure that began at one moment, with the page that shows it."""
    settings = Settings.model_validate({"mail": {"operators": ["a@acme.example", "b@acme.example"]}})
    since = kernel.clock()
    for hours, new in ((0, 2), (1, 0)):
        now = since + timedelta(hours=hours)
        with kernel.store.write() as session:
            assert queue_alert(session, settings, "source", "moodle", "HTTP 503", since, "/sync", now) == new
    assert send_due(office(**to(inbox))) == Tally(sent=2)
    assert inbox.subjects == ["The source moodle fails"] * 2
    text = part(inbox.got[0][2], "plain")
    assert "HTTP 503" in text
    assert "http://127.0.0.1:8800/sync" in text


def test_retrying_what_is_not_there_or_was_sent(kernel: Installation, office: Any, inbox: Inbox) -> None:
    """A mail that was sent is not sent a second time on demand, and one that is not there is named."""
    queue(kernel, draft())
    send_due(office(**to(inbox)))
    with kernel.store.write() as session:
        with pytest.raises(RefusedError, match="is sent and cannot be sent again"):
            retry_mail(session, mails(kernel)[0].id, "boss", kernel.clock())
        with pytest.raises(NotFoundError, match="There is no mail 999999"):
            retry_mail(session, 999999, "boss", kernel.clock())


# ── The command ──


@pytest.fixture
def run(kernel: Installation, office: Any) -> Any:
    """Runs `certbridge mail` with these words and these keys of `[mail]`."""

    def run(keys: dict[str, Any], *words: str) -> Result:
        @click.group(cls=Command)
        @click.pass_context
        def cli(ctx: click.Context) -> None:
            ctx.obj = Context(Path("config.toml"))
            ctx.obj.installation = replace(kernel, settings=Settings.model_validate({"mail": keys}))

        register(cli)
        return CliRunner().invoke(cli, ["mail", *words])

    with kernel.store.write() as session:
        schedules.ensure(session, "plugin.mail", "plugin.mail", None, "PT10S", kernel.clock())
    return run


def test_the_command_sends_a_test_mail_and_says_how_it_went(kernel: Installation, inbox: Inbox, run: Any) -> None:
    """`mail test` says that the server took it, or why not; others that wait stay where they are."""
    queue(kernel, draft("other"))
    done = run(to(inbox), "test", "li@acme.example", "--language", "zh_Hans_CN")
    assert (done.exit_code, "has taken the mail" in done.output) == (0, True), done.output
    assert inbox.subjects == ["CertBridge 测试邮件"]
    inbox.answer_to = lambda _to: "550 no such user"
    failed = run(to(inbox), "test", "li@acme.example")
    assert failed.exit_code == 1
    assert "The mail server refused the mail (550 no such user)." in failed.output
    assert "switched off" in run({}, "test", "li@acme.example").output
    assert "is no mail address" in run(to(inbox), "test", "li").output
    assert [mail.state for mail in mails(kernel) if mail.key == "other"] == ["waiting"]


def test_the_command_lists_and_retries(kernel: Installation, inbox: Inbox, run: Any) -> None:
    """`mail list` shows mails by state, as lines and as JSON; `mail retry` has one sent again."""
    queue(kernel, draft("1"), draft("2", recipient="nobody"))
    assert "The recipient's address is no mail address." in run({}, "list").output
    [row] = json.loads(run({}, "list", "--state", "waiting", "--format", "json").output)
    assert (row["recipient"], row["state"], row["template"]) == ("mei@acme.example", "waiting", "test")
    assert "is due now" in run({}, "retry", str(row["id"])).output
    assert run({}, "retry", "999999").exit_code == 1


# ── The pages ──


@pytest.fixture
def browse(installation: Installation, inbox: Inbox) -> Callable[..., FlaskClient]:
    """Browsers that are signed in with a role, on an installation with mails in several states."""
    parameters = {"kind": "endpoint", "name": "<b>hr</b>", "reason": "x", "since": installation.clock()}
    reset = {"login": "mei", "expires_at": installation.clock()}
    queue(
        installation,
        draft("1"),
        draft("2", template="alert", parameters=parameters, language="zh_Hans_CN"),
        draft("3", recipient="refused@acme.example"),
        draft("4", template="password_reset", parameters=reset, secrets={"link": "https://x/hunter2"}),
        draft("5", template="nothing_such"),
    )
    with installation.store.write() as session:
        session.execute(update(Mail).where(Mail.key == "4").values(due_at=installation.clock() + timedelta(hours=1)))
    inbox.answer_to = lambda to: "550 no" if to.startswith("refused") else "250 yes"
    settings = installation.settings.model_copy(update={"mail": MailSettings(**to(inbox))})
    settings._folder = installation.settings.folder
    home = replace(installation, settings=settings)
    assert send_due(PostOffice.of(home)) == Tally(sent=2, ended=2)
    app = create_app(home)

    def sign_in(role: str, language: str = "en") -> FlaskClient:
        with installation.store.write() as session:
            create_account(session, role, "correct horse battery", [role], installation.clock())
        client = app.test_client()
        data = {"login": role, "password": "correct horse battery", "csrf_token": token(client.get("/sign-in").text)}
        assert client.post("/sign-in", data=data).status_code == 302
        data = {"language": language, "csrf_token": token(client.get("/").text)}
        assert client.post("/language", data=data).status_code == 302
        return client

    return sign_in


def token(page: str) -> str:
    """The token of a page's forms."""
    [first, *_] = re.findall(r'name="csrf_token" value="([^"]+)"', page)
    return str(first)


def numbers(home: Installation) -> dict[str, int]:
    """The ids of the mails by their keys."""
    return {mail.key: mail.id for mail in mails(home)}


def test_the_page_lists_mails_by_state(browse: Callable[..., FlaskClient]) -> None:
    """The list shows subject, recipient, state and reason, and filters by state; markup in a subject stays text."""
    client = browse("operator")
    page = client.get("/mail").text
    assert "Test mail from CertBridge" in page
    assert "端点 &lt;b&gt;hr&lt;/b&gt; 出现故障" in page
    assert "The mail server refused the mail. (550 no)" in page
    assert "nothing_such" in page
    assert 'href="/mail" aria-current="page"' in page
    failed = client.get("/mail?state=failed").text
    assert "refused@<wbr>acme.example" in failed
    assert "端点" not in failed
    assert client.get("/mail?state=nonsense&page=99").status_code == 200
    assert "There is no such mail." in client.get("/mail?state=unknown").text


def test_a_mail_is_shown_as_it_was_or_would_be_sent(
    browse: Callable[..., FlaskClient], installation: Installation
) -> None:
    """The page of a mail has its text and the source of its HTML, without secrets; what cannot be made says so."""
    client, ids = browse("operator"), numbers(installation)
    sent = client.get(f"/mail/{ids['2']}").text
    assert "As it was sent" in sent
    assert "目前无法向该端点投递" in sent
    assert "&lt;!doctype html&gt;" in sent
    waiting = client.get(f"/mail/{ids['4']}").text
    assert "As it would be sent now" in waiting
    assert MASK in waiting
    assert "hunter2" not in waiting
    assert "This mail cannot be made." in client.get(f"/mail/{ids['5']}").text
    for path in ("/mail/999999", "/mail/999999/html"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "There is no page at this address" in answer.text


def test_the_html_of_a_mail_is_in_a_sandbox(browse: Callable[..., FlaskClient], installation: Installation) -> None:
    """The HTML is a document of its own whose policy forbids scripts, forms and everything but its one style."""
    client, ids = browse("operator"), numbers(installation)
    answer = client.get(f"/mail/{ids['2']}/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'sha256-")
    assert "allow" not in policy
    assert "unsafe" not in policy
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert style == (FRAME / "style.css").read_text(encoding="utf-8")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "&lt;b&gt;hr&lt;/b&gt;" in answer.text
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=|javascript:|<img|<link|@import|url\(", answer.text)
    assert client.get(f"/mail/{ids['5']}/html").status_code == 422


def test_the_pages_speak_chinese(browse: Callable[..., FlaskClient], installation: Installation) -> None:
    """A reader of Chinese finds headings, states and reasons in Chinese; the mail stays in its own language."""
    client, ids = browse("operator", "zh_Hans_CN"), numbers(installation)
    page = client.get("/mail").text
    for words in ("邮件", "收件人", "已发送", "邮件服务器拒绝了该邮件。 (550 no)"):
        assert words in page
    one = client.get(f"/mail/{ids['1']}").text
    assert "发送时的内容" in one
    assert "That it has arrived means" in one
    assert "该地址没有对应的页面" in client.get("/mail/999999").text


def test_sending_again_from_the_page(browse: Callable[..., FlaskClient], installation: Installation) -> None:
    """The button makes a failed mail due again and leaves who pressed it; it needs the token of the form."""
    client, ids = browse("operator"), numbers(installation)
    place = f"/mail/{ids['3']}"
    assert client.post(f"{place}/retry").status_code == 400
    data = {"csrf_token": token(client.get(place).text)}
    assert client.post(f"{place}/retry", data=data).location == place
    assert "The mail is due now" in client.get(place).text
    assert {mail.key: mail.state for mail in mails(installation)}["3"] == "waiting"
    with installation.store.read() as session:
        act = session.scalars(select(AuditEntry).where(AuditEntry.action == "mail.retry")).one()
    assert (act.actor, act.subject) == ("operator", f"mail:{ids['3']}")
    assert "/retry" not in client.get(f"/mail/{ids['1']}").text
    client.post(f"/mail/{ids['1']}/retry", data=data)
    assert "This mail cannot be sent again." in client.get(f"/mail/{ids['1']}").text


def test_only_administrators_and_operators_see_mail(
    browse: Callable[..., FlaskClient], installation: Installation
) -> None:
    """The pages are for administrators and operators; others find no entry and are refused; nobody without signing in."""
    ids = numbers(installation)
    for role, sees in (
        ("administrator", True),
        ("operator", True),
        ("hr", False),
        ("auditor", False),
        ("employee", False),
    ):
        client = browse(role)
        for path in ("/mail", f"/mail/{ids['1']}", f"/mail/{ids['1']}/html"):
            assert client.get(path).status_code == (200 if sees else 403)
        assert ('href="/mail"' in client.get("/").text) is sees
        data = {"csrf_token": token(client.get("/").text)}
        assert client.post(f"/mail/{ids['3']}/retry", data=data).status_code == (302 if sees else 403)
        stranger = client.application.test_client()
        assert stranger.get("/mail").status_code == 302
        assert stranger.get(f"/mail/{ids['1']}/html").status_code == 302


def test_the_page_says_that_mail_is_switched_off(installation: Installation) -> None:
    """Without a mail server the page says so, and old mails say that their content has been removed."""
    with installation.store.write() as session:
        create_account(session, "operator", "correct horse battery", ["operator"], installation.clock())
    queue(installation, draft())
    send_due(PostOffice.of(installation))
    client = create_app(installation).test_client()
    data = {"login": "operator", "password": "correct horse battery", "csrf_token": token(client.get("/sign-in").text)}
    client.post("/sign-in", data=data)
    assert "Sending mail is switched off" in client.get("/mail").text
    with installation.store.write() as session:
        session.execute(update(Mail).values(state="sent", recipient="", parameters={}))
    page = client.get(f"/mail/{numbers(installation)['k']}")
    assert "The content of this mail has been removed" in page.text


def test_every_state_and_key_stands_on_the_page_of_the_docs() -> None:
    """docs/mail.md explains every state, every key of the settings and every template."""
    page = (ROOT / "docs" / "mail.md").read_text(encoding="utf-8")
    templates = {path.stem for path in FRAME.parent.glob("*.html")} - {"footer"}
    for name in {*states.STATES, *MailSettings.model_fields, *templates}:
        assert f"`{name}`" in page, name
