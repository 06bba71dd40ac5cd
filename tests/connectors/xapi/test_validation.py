"""The validator of statements: what the specification 1.0.3 allows and refuses, and where it says that something is wrong."""

import copy
import time
from typing import Any

import pytest

from connectors.xapi import formats
from connectors.xapi.validation import INTERACTIONS, Wrong, errors_of

ID = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"
AGENT = {"mbox": "mailto:ann@acme.example"}
ACTIVITY = {"id": "https://lms.example/course/1"}
MINIMAL = {"actor": AGENT, "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}, "object": ACTIVITY}
ATTACHMENT = {
    "usageType": "http://id.tincanapi.com/attachment/certificate", "display": {"en": "Certificate"},
    "contentType": "application/pdf", "length": 5, "sha2": "a" * 64, "fileUrl": "https://lms.example/c.pdf",
}  # fmt: skip
FULL = {
    "id": ID,
    "actor": {
        "objectType": "Group", "name": "Shift", "account": {"homePage": "https://lms.example", "name": "7"},
        "member": [{"objectType": "Agent", "name": "Ann", "mbox_sha1sum": "0" * 40}, {"openid": "https://id.example/ann"}],
    },
    "verb": {"id": "http://adlnet.gov/expapi/verbs/passed", "display": {"en-US": "passed", "zh-Hans-CN": "通过"}},
    "object": {
        "objectType": "Activity", "id": "http://例子.example/课程?a=1#b",
        "definition": {
            "name": {"en": "Quiz"}, "description": {"und": ""}, "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
            "moreInfo": "https://lms.example/more", "interactionType": "choice", "correctResponsesPattern": ["a[,]b"],
            "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}], "extensions": {"http://x.example/e": {"a": None}},
        },
    },
    "result": {
        "score": {"scaled": -0.5, "raw": 5, "min": 0, "max": 10}, "success": True, "completion": False, "response": "",
        "duration": "PT1H30M0.25S", "extensions": {},
    },
    "context": {
        "registration": ID.upper(), "instructor": AGENT, "team": {"objectType": "Group", "member": [AGENT]},
        "contextActivities": {"parent": ACTIVITY, "grouping": [ACTIVITY], "category": [], "other": [ACTIVITY]},
        "revision": "1", "platform": "web", "language": "de-CH-1996", "statement": {"objectType": "StatementRef", "id": ID},
        "extensions": {"urn:x:y": None},
    },
    "timestamp": "2026-11-23T10:00:00.123456789+08:00", "stored": "2026-11-23T02:00:00Z",
    "authority": {"objectType": "Group", "member": [AGENT, {"account": {"homePage": "https://o.example", "name": "key"}}]},
    "version": "1.0.3", "attachments": [ATTACHMENT],
}  # fmt: skip
SUB = {**MINIMAL, "object": {"objectType": "SubStatement", **MINIMAL}}


def changed(statement: Any, path: str, value: Any) -> Any:
    """A statement with another value at `path`, made of names with slashes between; KeyError-free: parents are made."""
    made = copy.deepcopy(statement)
    here = made
    *parents, last = path.split("/")
    for name in parents:
        here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return made


@pytest.mark.parametrize("statement", [MINIMAL, FULL, SUB, changed(FULL, "actor/account", ...)])
def test_what_is_valid_is_found_so(statement: Any) -> None:
    """The least that makes a statement, everything at once, and a SubStatement are valid, and left as they were."""
    before = copy.deepcopy(statement)
    assert errors_of(statement) == []
    assert statement == before


def group(**more: Any) -> dict[str, Any]:
    """A Group with these properties."""
    return {"objectType": "Group", **more}


@pytest.mark.parametrize(
    ("path", "value", "where", "code"),
    [
        # Types, null, unknown and missing properties
        ("actor", ..., "/actor", "missing"),
        ("verb", ..., "/verb", "missing"),
        ("object", ..., "/object", "missing"),
        ("actor", None, "/actor", "null"),
        ("result", None, "/result", "null"),
        ("result/success", None, "/result/success", "null"),
        ("result/success", "false", "/result/success", "type"),
        ("result/completion", 1, "/result/completion", "type"),
        ("result/response", 5, "/result/response", "type"),
        ("result/score/raw", "5", "/result/score/raw", "type"),
        ("result/score/raw", True, "/result/score/raw", "type"),
        ("result", [], "/result", "type"),
        ("context", "x", "/context", "type"),
        ("Actor", AGENT, "/Actor", "unknown"),
        ("result/grade", 5, "/result/grade", "unknown"),
        ("result/score/percent", 5, "/result/score/percent", "unknown"),
        ("context/contextAgents", [], "/context/contextAgents", "unknown"),
        ("verb/name", "x", "/verb/name", "unknown"),
        ("object/name", "x", "/object/name", "unknown"),
        ("object/definition/a~b/c", 1, "/object/definition/a~0b", "unknown"),
        # Actors
        ("actor", {}, "/actor", "identifier"),
        ("actor", {"name": "Ann"}, "/actor", "identifier"),
        ("actor", {**AGENT, "openid": "https://id.example/a"}, "/actor", "identifier"),
        ("actor", {**AGENT, "member": []}, "/actor/member", "unknown"),
        ("actor", {**AGENT, "objectType": "agent"}, "/actor/objectType", "value"),
        ("actor", {**AGENT, "objectType": "Person"}, "/actor/objectType", "value"),
        ("actor", {**AGENT, "name": 5}, "/actor/name", "type"),
        ("actor", [AGENT], "/actor", "type"),
        ("actor", "ann", "/actor", "type"),
        ("actor", group(), "/actor/member", "missing"),
        ("actor", group(member=[]), "/actor/member", "empty"),
        ("actor", group(member=AGENT), "/actor/member", "type"),
        ("actor", group(member=[None]), "/actor/member/0", "null"),
        ("actor", group(member=[group(member=[AGENT])]), "/actor/member/0/objectType", "value"),
        ("actor", group(member=[{}]), "/actor/member/0", "identifier"),
        ("actor", group(mbox="mailto:a@b.c", openid="http://a.b"), "/actor", "identifier"),
        ("actor/mbox", "ann@acme.example", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto:", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto:ann", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto: ann@acme.example", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto:ann@acme.example,bo@acme.example", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto:ann@acme.example?subject=x", "/actor/mbox", "mbox"),
        ("actor/mbox", "mailto:a@b@c", "/actor/mbox", "mbox"),
        ("actor/mbox", "", "/actor/mbox", "mbox"),
        ("actor/mbox", ["mailto:a@b.c"], "/actor/mbox", "type"),
        ("actor", {"mbox_sha1sum": "0" * 39}, "/actor/mbox_sha1sum", "sha1"),
        ("actor", {"mbox_sha1sum": "g" * 40}, "/actor/mbox_sha1sum", "sha1"),
        ("actor", {"openid": "id.example/ann"}, "/actor/openid", "uri"),
        ("actor", {"account": {}}, "/actor/account/homePage", "missing"),
        ("actor", {"account": {"homePage": "https://a.b"}}, "/actor/account/name", "missing"),
        ("actor", {"account": {"homePage": "a.b", "name": "7"}}, "/actor/account/homePage", "irl"),
        ("actor", {"account": {"homePage": "https://a.b", "name": 7}}, "/actor/account/name", "type"),
        ("actor", {"account": {"homePage": "https://a.b", "name": "7", "id": 7}}, "/actor/account/id", "unknown"),
        # Verbs and language maps
        ("verb", {}, "/verb/id", "missing"),
        ("verb", "passed", "/verb", "type"),
        ("verb/id", "passed", "/verb/id", "iri"),
        ("verb/id", "", "/verb/id", "iri"),
        ("verb/id", "http://a b", "/verb/id", "iri"),
        ("verb/display", "passed", "/verb/display", "type"),
        ("verb/display", {"en_US": "passed"}, "/verb/display/en_US", "language"),
        ("verb/display", {"": "passed"}, "/verb/display/", "language"),
        ("verb/display", {"a": "passed"}, "/verb/display/a", "language"),
        ("verb/display", {"en": 5}, "/verb/display/en", "type"),
        ("verb/display", {"en": None}, "/verb/display/en", "null"),
        # Objects
        ("object", {}, "/object/id", "missing"),
        ("object", "https://a.b", "/object", "type"),
        ("object", {**ACTIVITY, "objectType": "activity"}, "/object/objectType", "value"),
        ("object", {**ACTIVITY, "objectType": None}, "/object/objectType", "null"),
        ("object", {**ACTIVITY, "objectType": 5}, "/object/objectType", "type"),
        ("object", AGENT, "/object/mbox", "unknown"),
        ("object", {"objectType": "Agent"}, "/object", "identifier"),
        ("object", {"objectType": "StatementRef"}, "/object/id", "missing"),
        ("object", {"objectType": "StatementRef", "id": "7"}, "/object/id", "uuid"),
        ("object", {"objectType": "StatementRef", "id": ID, "definition": {}}, "/object/definition", "unknown"),
        ("object", {"objectType": "SubStatement", **MINIMAL, "id": ID}, "/object/id", "not_allowed"),
        ("object", {"objectType": "SubStatement", **MINIMAL, "stored": "2026-11-23T02:00:00Z"}, "/object/stored", "not_allowed"),
        ("object", {"objectType": "SubStatement", **MINIMAL, "version": "1.0.0"}, "/object/version", "not_allowed"),
        ("object", {"objectType": "SubStatement", **MINIMAL, "authority": AGENT}, "/object/authority", "not_allowed"),
        ("object", {"objectType": "SubStatement", **SUB}, "/object/object", "not_allowed"),
        ("object", {"objectType": "SubStatement", "actor": AGENT}, "/object/verb", "missing"),
        ("verb/id", "http://adlnet.gov/expapi/verbs/voided", "/object", "not_allowed"),
        ("object/definition", [], "/object/definition", "type"),
        ("object/definition/type", "course", "/object/definition/type", "iri"),
        ("object/definition/moreInfo", "/more", "/object/definition/moreInfo", "irl"),
        ("object/definition/extensions", {"plain": 1}, "/object/definition/extensions/plain", "iri"),
        ("object/definition/extensions", [], "/object/definition/extensions", "type"),
        ("object/definition/interactionType", "Choice", "/object/definition/interactionType", "value"),
        ("object/definition/correctResponsesPattern", ["a"], "/object/definition/interactionType", "missing"),
        ("object/definition/choices", [{"id": "a"}], "/object/definition/interactionType", "missing"),
        (
            "object/definition", {"interactionType": "likert", "choices": [{"id": "a"}]}, "/object/definition/choices",
            "not_allowed",
        ),
        (
            "object/definition", {"interactionType": "choice", "choices": [{"id": "a"}, {"id": "a"}]},
            "/object/definition/choices/1/id", "duplicate",
        ),
        ("object/definition", {"interactionType": "choice", "choices": [{}]}, "/object/definition/choices/0/id", "missing"),
        ("object/definition", {"interactionType": "choice", "choices": {"id": "a"}}, "/object/definition/choices", "type"),
        (
            "object/definition", {"interactionType": "fill-in", "correctResponsesPattern": "a"},
            "/object/definition/correctResponsesPattern", "type",
        ),
        # Results
        ("result/score/scaled", 1.01, "/result/score/scaled", "range"),
        ("result/score/scaled", 5, "/result/score/scaled", "range"),
        ("result/score", {"raw": 11, "max": 10}, "/result/score/raw", "range"),
        ("result/score", {"raw": -1, "min": 0}, "/result/score/raw", "range"),
        ("result/score", {"min": 10, "max": 10}, "/result/score/min", "range"),
        ("result/duration", "1 hour", "/result/duration", "duration"),
        ("result/duration", 90, "/result/duration", "type"),
        # Contexts
        ("context/registration", "7", "/context/registration", "uuid"),
        ("context/team", AGENT, "/context/team/mbox", None),
        ("context/instructor", {}, "/context/instructor", "identifier"),
        ("context/contextActivities", {"child": []}, "/context/contextActivities/child", "unknown"),
        ("context/contextActivities", {"parent": ["x"]}, "/context/contextActivities/parent/0", "type"),
        ("context/contextActivities", {"parent": [{"id": "x"}]}, "/context/contextActivities/parent/0/id", "iri"),
        (
            "context/contextActivities", {"parent": {**ACTIVITY, "objectType": "Agent"}},
            "/context/contextActivities/parent/objectType", "value",
        ),
        ("context/language", "en_GB", "/context/language", "language"),
        ("context/revision", 5, "/context/revision", "type"),
        ("context/statement", {"id": ID}, "/context/statement/objectType", "missing"),
        ("context/extensions", {"a b:c": 1}, "/context/extensions/a b:c", "iri"),
        # The rest
        ("id", "7", "/id", "uuid"),
        ("id", ID.replace("-", ""), "/id", "uuid"),
        ("id", "{" + ID + "}", "/id", "uuid"),
        ("id", ID + "\n", "/id", "uuid"),
        ("timestamp", "2026-11-23T10:00:00-00:00", "/timestamp", "timestamp"),
        ("timestamp", 1763863200, "/timestamp", "type"),
        ("stored", "now", "/stored", "timestamp"),
        ("version", "2.0.0", "/version", "version"),
        ("version", "1.1.0", "/version", "version"),
        ("version", "1.0", "/version", "version"),
        ("version", 1, "/version", "type"),
        ("authority", group(member=[AGENT]), "/authority", "authority"),
        ("authority", group(member=[AGENT, AGENT]), "/authority", "authority"),
        ("authority", {}, "/authority", "identifier"),
        ("attachments", {}, "/attachments", "type"),
        ("attachments", [{}], "/attachments/0/usageType", "missing"),
        ("attachments", [{**ATTACHMENT, "length": "5"}], "/attachments/0/length", "type"),
        ("attachments", [{**ATTACHMENT, "length": 5.5}], "/attachments/0/length", "type"),
        ("attachments", [{**ATTACHMENT, "length": -1}], "/attachments/0/length", "range"),
        ("attachments", [{**ATTACHMENT, "sha2": "x"}], "/attachments/0/sha2", "sha2"),
        ("attachments", [{**ATTACHMENT, "contentType": "pdf"}], "/attachments/0/contentType", "media_type"),
        ("attachments", [{**ATTACHMENT, "fileUrl": "c.pdf"}], "/attachments/0/fileUrl", "irl"),
        ("attachments", [{**ATTACHMENT, "display": "x"}], "/attachments/0/display", "type"),
        ("attachments", [{**ATTACHMENT, "title": "x"}], "/attachments/0/title", "unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_where_it_stands(path: str, value: Any, where: str, code: str | None) -> None:
    """One mistake in a good statement is found, at its place and with its code."""
    found = errors_of(changed(MINIMAL, path, value))
    assert found
    if code is not None:
        assert Wrong(where, code) in found


@pytest.mark.parametrize("value", [None, 5, "x", [], [MINIMAL], {}, True])
def test_what_is_no_statement_is_not_valid(value: Any) -> None:
    """Anything but an object with actor, verb and object is wrong."""
    assert errors_of(value)


@pytest.mark.parametrize("kind", ["Agent", "Group", "StatementRef", "SubStatement"])
@pytest.mark.parametrize("name", ["revision", "platform"])
def test_revision_and_platform_are_for_activities(kind: str, name: str) -> None:
    """Beside any other object than an Activity they are refused; language and the rest are not."""
    objects = {
        "Agent": {"objectType": "Agent", **AGENT},
        "Group": group(member=[AGENT]),
        "StatementRef": {"objectType": "StatementRef", "id": ID},
        "SubStatement": {"objectType": "SubStatement", **MINIMAL},
    }
    statement = {**MINIMAL, "object": objects[kind], "context": {"language": "en"}}
    assert errors_of(statement) == []
    assert errors_of(changed(statement, f"context/{name}", "1")) == [Wrong(f"/context/{name}", "not_allowed")]


def test_a_voiding_statement_is_valid() -> None:
    """The verb voided with a reference to a statement is what voids."""
    voiding = {**MINIMAL, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}
    assert errors_of({**voiding, "object": {"objectType": "StatementRef", "id": ID}}) == []


def test_every_interaction_takes_its_own_lists() -> None:
    """Each type of interaction takes the lists of components that the specification gives it, and no others."""
    for kind, allowed in INTERACTIONS.items():
        for name in ("choices", "scale", "source", "target", "steps"):
            definition = {"interactionType": kind, name: [{"id": "a"}]}
            assert (errors_of(changed(MINIMAL, "object/definition", definition)) == []) == (name in allowed), (
                kind,
                name,
            )


def test_every_mistake_is_named() -> None:
    """Of several mistakes all are found."""
    found = errors_of({"actor": {"mbox": "x"}, "verb": {"id": "x"}, "object": {"id": "x"}, "x": 1})
    assert {one.path for one in found} == {"/actor/mbox", "/verb/id", "/object/id", "/x"}


@pytest.mark.parametrize(
    "text",
    [
        "http://a.b", "https://a.b:8080/c;d?e=f&g=%20#h", "urn:uuid:x", "mailto:a@b.c", "tag:a.b,2026:x", "HTTP://A.B",
        "http://[::1]/x", "http://user@a.b/", "http://例子.测试/课", "x:y", "act:blooms-digital", "http://a.b/?",
        "http://a.b/'(x)!*,", "file:///c/d", "about:blank", "doi:10.1000/182",
    ],
)  # fmt: skip
def test_iris(text: str) -> None:
    """What is an IRI with a scheme."""
    assert formats.is_iri(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a/b", "//a.b/c", "/c", "#x", "http:", "http://", "https:///x", ":x", "1a:b", "ab=c://a.b", "http://a.b/c d",
        "http://a.b/<x>", "http://a.b/{x}", "http://a.b/|", "http://a.b/\\", "http://a.b/^", "http://a.b/`", 'http://a.b/"',
        "http://a.b/%2", "http://a.b/%zz", "http://a.b/#a#b", "http://a.b/[x]", "http://a.b:x/", "http://a.b\n", " http://a.b",
        "http://a.b/\x00", "http://a.b/\ud800", "www.a.b", "http://a.b/\ufffe",
    ],
)  # fmt: skip
def test_no_iris(text: str) -> None:
    """What is none: no scheme, nothing behind it, characters that IRIs cannot hold."""
    assert not formats.is_iri(text)


@pytest.mark.parametrize(
    "text",
    ["P3Y1M29DT4H35M59.14S", "PT16559.14S", "P3Y", "P4W", "PT0S", "P0.5Y", "PT1,5H", "P1DT1S", "P1Y2D", "PT0.123456S"],
)
def test_durations(text: str) -> None:
    """Durations with designators."""
    assert formats.is_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "P", "PT", "P1DT", "1D", "P4W1D", "P1D4W", "PT1.5H1M", "P1S", "PT1D", "P-1D", "-P1D", "+P1D", "p1d", "P1D ", "PT1M1H",
        "P0003-06-04T12:30:05", "P1.D", "P.5D", "PD", "P1H", "90", "P１D",
    ],
)  # fmt: skip
def test_no_durations(text: str) -> None:
    """Wrong order, wrong place, fractions before the end, the alternative form, signs."""
    assert not formats.is_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T10:00:00.5+08:00", "2026-11-23T02:00:00.500000+00:00"),
        ("2026-11-23T10:00:00.1234567Z", "2026-11-23T10:00:00.123456+00:00"),
        ("2026-11-23T10:00:00+0530", "2026-11-23T04:30:00+00:00"),
        ("2026-11-23T10:00:00-03", "2026-11-23T13:00:00+00:00"),
        ("2026-11-23t10:00:00z", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T10:00Z", "2026-11-23T10:00:00+00:00"),
        ("2026-11-23T10:00:00", "2026-11-23T10:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2024-02-29T00:00:00-00:30", "2024-02-29T00:30:00+00:00"),
    ],
)
def test_timestamps(text: str, moment: str) -> None:
    """Timestamps and the moments that they mean; one without a zone is in UTC."""
    found = formats.moment(text)
    assert found is not None and found.isoformat() == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-23", "2026-11-23 10:00:00Z", "20261123T100000Z", "2026-11-23T24:00:00Z", "2026-02-30T10:00:00Z",
        "2023-02-29T00:00:00Z", "2026-11-23T10:60:00Z", "2026-11-23T10:00:61Z", "2026-11-23T10:00:00-00:00",
        "2026-11-23T10:00:00-0000", "2026-11-23T10:00:00-00", "2026-11-23T10:00:00+24:00", "2026-11-23T10:00:00+08:60",
        "2026-11-23T10:00:00.Z", "2026-W48-1T10:00:00Z", "2026-327T10:00:00Z", "0000-01-01T00:00:00Z", "2026-11-23T10Z",
        "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "2026-11-23T10:00:00Z\n", "２026-11-23T10:00:00Z",
        "+2026-11-23T10:00:00Z", "2026-11-23T10:00:00 Z", "yesterday",
    ],
)  # fmt: skip
def test_no_timestamps(text: str) -> None:
    """Days and times that do not exist, other forms, an unknown zone written as -00:00."""
    assert formats.moment(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "en", "en-US", "zh-Hans-CN", "und", "de-CH-1996", "sl-rozaj-biske-1994", "es-419", "en-x-custom", "x-whatever", "i-klingon",
        "EN-us", "zh-cmn-Hans-CN", "de-DE-u-co-phonebk", "ast", "art-lojban", "en-GB-oed", "abcd", "abcdefgh",
    ],
)  # fmt: skip
def test_languages(text: str) -> None:
    """Well-formed language tags."""
    assert formats.is_language(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "en_US", "en-", "-en", "en--US", "english language", "en-US-US", "en-u", "x", "de-1996-1996", "en-a-bb-a-cc",
     "abcdefghi", "en-\u00fc", "12", "en US", "en-US\n"],
)  # fmt: skip
def test_no_languages(text: str) -> None:
    """Tags whose parts have wrong lengths, stand twice or are not there."""
    assert not formats.is_language(text)


@pytest.mark.parametrize(
    "text",
    [
        "mailto:a@b.c",
        "mailto:a.b+c@d.e",
        "mailto:a@localhost",
        "mailto:o'neil@x.y",
        "mailto:用户@例子.测试",
        "mailto:a@[192.0.2.1]",
    ],
)
def test_mail_addresses(text: str) -> None:
    """What is `mailto:` and one address."""
    assert formats.is_mailto(text)


@pytest.mark.parametrize("version", "1234567")
def test_uuids_of_every_version(version: str) -> None:
    """UUIDs of whatever version and case are ids."""
    text = f"0190163d-8694-{version}39b-aea5-966c26f8ad91"
    assert formats.is_uuid(text) and formats.is_uuid(text.upper())


def test_long_texts_take_no_long() -> None:
    """A megabyte of whatever is looked at in no time: none of the patterns tries everything."""
    began = time.monotonic()
    for part in ("a", "%", "/", "@", ":", "a.", "-a", "1M", "[", '"', "1.", "a@"):
        text = part * (200_000 // len(part))
        for start in ("", "http://", "mailto:", "P", "en-", "2026-11-23T10:00:00.", "a/b;c="):
            for fits in (
                formats.is_iri, formats.is_uri, formats.is_mailto, formats.is_duration, formats.is_language, formats.moment,
                formats.is_media_type,
            ):  # fmt: skip
                fits(start + text + "\n")
    assert time.monotonic() - began < 60
