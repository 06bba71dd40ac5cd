"""The way by custom reports, over real HTTP to the sandbox site: what it reads, and what it refuses to read."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.models import Completion, Enrolment, StreamRun, StreamState
from connectors.moodle.demo.access import REPORT, Token
from connectors.moodle.demo.functions.agreed_reports import PARTICIPANTS
from connectors.moodle.demo.organisation import Organisation
from connectors.moodle.demo.registry import registry
from connectors.moodle.errors import MoodleError, ReportDriftError
from connectors.moodle.report_reading import CREATED_FILTER, SET_FILTERS
from connectors.records import BadgeRecord, CohortMemberRecord, CompletionRecord, EnrolmentRecord, Record
from connectors.streams import Stream
from plugin.errors import RecordRefusedError
from tests.connectors.book import Book, Site, running_site

TOKEN = REPORT.token
RETRIEVE = "core_reportbuilder_retrieve_report"
DAY = 86400


def minute(seconds: int | None) -> datetime | None:
    """A moment at the beginning of its minute."""
    return datetime.fromtimestamp(seconds - seconds % 60, UTC) if seconds else None


def stream(site: Site, name: str, token: str = TOKEN, **settings: Any) -> Stream:
    """A stream of a new connector."""
    (found,) = [one for one in site.connector(token, **settings).streams() if one.name == name]
    return found


def records(found: Stream, cursor: Any = None) -> list[Record]:
    """What a stream brings after a cursor."""
    return [found.parse(raw.value) for page in found.pull(cursor) for raw in page.raws]


def end(found: Stream, cursor: Any = None) -> tuple[Any, ...]:
    """Where a stream stands at the end."""
    return [page.cursor for page in found.pull(cursor)][-1]


def count(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """The calls of functions, as they come."""
    seen: list[str] = []
    for name in names:
        change(monkeypatch, name, lambda answer, _arguments, name=name: seen.append(name) or answer)
    return seen


def change(monkeypatch: pytest.MonkeyPatch, name: str, how: Callable[[Any, Any], Any]) -> None:
    """Let a function's answers be changed on their way."""
    function = registry._functions[name]
    monkeypatch.setitem(
        registry._functions,
        name,
        replace(function, handler=lambda call, arguments: how(function.handler(call, arguments), arguments)),
    )


def expected_enrolments(organisation: Organisation) -> set[EnrolmentRecord]:
    """The enrolments as reports show them."""
    made = set()
    for course_id, users in organisation.enrolments.items():
        for user_id, held in users.items():
            ends = [one.end for one in held]
            opened = organisation.learning_of(user_id, course_id).page_at
            made.add(
                EnrolmentRecord(
                    course_key=str(course_id),
                    user_key=str(user_id),
                    active=any(one.active(organisation.now) for one in held),
                    methods=",".join(sorted({one.method for one in held})),
                    enrolled_at=minute(min(one.created for one in held)),
                    starts_at=minute(min(one.start or one.created for one in held)),
                    ends_at=minute(max(ends)) if all(ends) else None,
                    started_at=minute(opened) if organisation.courses[course_id].completion else None,
                )
            )
    return made


def expected_completions(organisation: Organisation) -> set[CompletionRecord]:
    """The completions of present enrolments, to the minute."""
    return {
        CompletionRecord(str(course_id), str(user_id), at)
        for course_id, users in organisation.enrolments.items()
        for user_id in users
        if (at := minute(organisation.completed_at(user_id, course_id)))
    }


def test_enrolments_equal_the_organisation(site: Site) -> None:
    """Every enrolment comes once, by several methods too, with its dates; rows without a user are no enrolment."""
    found = records(stream(site, "enrolments"))
    assert len(found) == len(set(found))
    assert set(found) == expected_enrolments(site.organisation)
    user, course = site.organisation.edge_cases["two_methods"]
    (double,) = [one for one in found if (one.user_key, one.course_key) == (str(user), str(course))]  # type: ignore[union-attr]
    assert isinstance(double, EnrolmentRecord)
    assert double.methods == "manual,self"


def test_completions_equal_the_organisation(site: Site) -> None:
    """Every completion of somebody who is enrolled comes to the minute, suspended and expired enrolments included."""
    found = records(stream(site, "completions"))
    assert set(found) == expected_completions(site.organisation)
    assert len(found) == len(set(found))
    user, course = site.organisation.edge_cases["suspended_enrolment"]
    assert (str(course), str(user)) in {(one.course_key, one.user_key) for one in found}  # type: ignore[union-attr]


def test_users_courses_badges_and_cohorts(site: Site) -> None:
    """Where no plain function may be asked, accounts and courses come out of the report; badges and cohorts have theirs."""
    organisation = site.organisation
    enrolled = {user for users in organisation.enrolments.values() for user in users}
    users = {one.user_key: one for one in records(stream(site, "users"))}  # type: ignore[union-attr]
    assert set(users) == {str(user) for user in enrolled}
    for user in enrolled:
        account, shown = organisation.users[user], users[str(user)]
        assert (shown.username, shown.idnumber, shown.email, shown.name, shown.suspended) == (  # type: ignore[union-attr]
            account.username, account.idnumber or None, account.email, account.fullname.strip(), account.suspended,
        )  # fmt: skip
    courses = {(one.course_key, one.name, one.short_name, one.idnumber) for one in records(stream(site, "courses"))}  # type: ignore[union-attr]
    assert courses == {
        (str(one.id), one.fullname, one.shortname, one.idnumber) for one in organisation.courses.values()
    }
    badges = [one for one in records(stream(site, "badges")) if isinstance(one, BadgeRecord)]
    assert badges
    aid = organisation.find_course("AID").id
    for badge in badges:
        assert badge.issued_at == minute(organisation.completed_at(int(badge.user_key), aid))
        assert (badge.badge_key, badge.object, badge.course_key) == ("1", badge.name, None)
    members = [one for one in records(stream(site, "cohorts")) if isinstance(one, CohortMemberRecord)]
    assert {(one.cohort_key, int(one.user_key), one.added_at) for one in members} == {
        (cohort.idnumber, member, minute(cohort.added)) for cohort in organisation.cohorts for member in cohort.members
    }


def test_cohorts_have_their_ids_where_a_function_tells(tmp_path: Any) -> None:
    """With the plain function the keys are those of the other ways."""
    token = replace(REPORT, token="both", functions=REPORT.functions | {"core_cohort_get_cohorts"})
    token = replace(token, capabilities=token.capabilities | {"moodle/cohort:view"})
    with running_site(tmp_path, token) as site:
        members = [one for one in records(stream(site, "cohorts", "both")) if isinstance(one, CohortMemberRecord)]
        assert {one.cohort_key for one in members} == {str(one.id) for one in site.organisation.cohorts}


def test_a_pull_takes_a_handful_of_calls(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of participants is read once for all streams, in one call, and checked by a few small ones."""
    seen = count(monkeypatch, RETRIEVE, SET_FILTERS)
    for one in site.connector(TOKEN).streams():
        list(one.pull(None))
    assert len(seen) <= 18
    assert seen.count(RETRIEVE) == 1 + 3 + 1 + 1 + 1  # whole, three filters, the zone, badges, cohorts


def test_pages_of_a_few_rows_bring_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that does not fit into one call is read page by page, with enrolments that lie on two pages made one."""
    monkeypatch.setattr("connectors.moodle.report_reading.ROWS_PER_CALL", 7)
    monkeypatch.setattr("connectors.moodle.report_streams.ROWS_PER_PAGE", 20)
    found = stream(site, "enrolments")
    pages = list(found.pull(None))
    assert {found.parse(raw.value) for page in pages for raw in page.raws} == expected_enrolments(site.organisation)
    assert len(pages) > 5
    assert pages[-1].ends_pass


def test_a_second_pull_brings_what_is_new(site: Site, book: Book) -> None:
    """Between comparisons an enrolment and a completion show, a second method beside the first one as well."""
    organisation = site.organisation
    book.pull(site.connector(TOKEN))
    course, other = organisation.find_course("FIRE").id, organisation.find_course("AID").id
    user, _ = organisation.edge_cases["never_opened"]
    fresh = next(one for one in organisation.users if one > 2 and one not in organisation.enrolments[other])
    organisation.complete(user, course, organisation.now - 600)
    organisation.enrol(fresh, other, organisation.now - 300)
    organisation.enrol(user, course, organisation.now - 200, method="self")
    book.later(minutes=20)
    result = book.pull(site.connector(TOKEN))
    assert result.status == "done"
    assert book.one(Completion, course_key=str(course), user_key=str(user)).completed_at == minute(
        organisation.now - 600
    )
    assert book.one(Enrolment, course_key=str(other), user_key=str(fresh)).active
    assert book.one(Enrolment, course_key=str(course), user_key=str(user)).methods == "manual,self"


def test_backdated_and_vanished_show_when_everything_is_compared(site: Site, book: Book) -> None:
    """What no filter finds, the daily comparison does: a completion dated back, and one wiped, closed when missing twice."""
    organisation = site.organisation
    book.pull(site.connector(TOKEN))
    course = organisation.find_course("FIRE").id
    user, _ = organisation.edge_cases["never_opened"]
    gone = next(one for one in organisation.enrolments[course] if organisation.completed_at(one, course))
    organisation.complete(user, course, organisation.now - 300 * DAY)
    organisation.reset_course(gone, course)
    for _ in range(2):
        book.later(days=1)
        assert book.pull(site.connector(TOKEN)).status == "done"
    assert book.one(Completion, course_key=str(course), user_key=str(user)).closed_at is None
    assert book.one(Completion, course_key=str(course), user_key=str(gone)).closed_at is not None


def test_a_drifted_column_is_named_and_nothing_is_read(site: Site, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heading that is not the expected one fails the stream with its number, what was found and what belongs there."""

    def drifted(answer: Any, arguments: Any) -> Any:
        if arguments["reportid"] == PARTICIPANTS.id:
            answer["data"]["headers"][7], answer["data"]["headers"][8] = "Course ID number", "Course short name"
        return answer

    change(monkeypatch, RETRIEVE, drifted)
    result = book.pull(site.connector(TOKEN))
    assert result.status == "partial"
    message = book.one(StreamRun, stream="enrolments").message
    assert "column 8: found 'Course ID number', expected 'Course short name'" in message
    assert book.all(Enrolment) == []


@pytest.mark.parametrize("write", ["%d/%m/%Y %H:%M", "%B %d, %Y", "%A, %d. %B %Y, %H:%M"])
def test_a_customised_date_format_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch, write: str) -> None:
    """A site that writes dates otherwise is told the name of the setting; no date is guessed."""
    monkeypatch.setattr(
        "connectors.moodle.demo.functions.agreed_reports.readable",
        lambda moment, zone: datetime.fromtimestamp(moment, zone).strftime(write) if moment else "",
    )
    with pytest.raises(ReportDriftError, match="strftimedaydatetime"):
        list(stream(site, "enrolments").pull(None))


def test_a_forced_time_zone_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that forces a zone upon everybody answers in that one whatever was asked for: it is noticed, and named."""
    written = registry._functions[RETRIEVE]
    shanghai = __import__("zoneinfo").ZoneInfo("Asia/Shanghai")
    monkeypatch.setitem(
        registry._functions,
        RETRIEVE,
        replace(written, handler=lambda call, arguments: written.handler(replace(call, zone=shanghai), arguments)),
    )
    with pytest.raises(ReportDriftError, match="Force timezone"):
        list(stream(site, "enrolments").pull(None))


def test_filters_left_behind_are_cleared_first_and_last(site: Site) -> None:
    """What a crash or another program left in the user's preference hides nothing, and no pull leaves any."""
    reader = stream(site, "enrolments")._participants._reader  # type: ignore[attr-defined]
    reader.since(CREATED_FILTER, 4_000_000_000)
    found = stream(site, "enrolments")
    assert set(records(found)) == expected_enrolments(site.organisation)
    assert reader.headings()
    records(found, end(found))
    _, _, total = reader._page(0, 1)
    assert total >= len(expected_enrolments(site.organisation))


def test_without_filters_everything_is_read_each_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moodle takes the names of filters that a report does not have in silence: that is noticed, and the cursor says 'whole'."""
    function = registry._functions[SET_FILTERS]
    monkeypatch.setitem(registry._functions, SET_FILTERS, replace(function, handler=lambda _call, _arguments: True))
    found = stream(site, "enrolments")
    assert end(found) == (2,)
    assert set(records(found, (2,))) == expected_enrolments(site.organisation)


def test_a_filter_lost_on_the_way_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a filter that was there is gone, the unfiltered answer is not taken for what is new."""
    cursor = end(stream(site, "enrolments"))
    assert len(cursor) == 3
    function = registry._functions[SET_FILTERS]
    monkeypatch.setitem(registry._functions, SET_FILTERS, replace(function, handler=lambda _call, _arguments: True))
    with pytest.raises(ReportDriftError, match="does not have the filter"):
        list(stream(site, "enrolments").pull(cursor))


@pytest.mark.parametrize("lie", [3, -3])
def test_a_total_that_lies_closes_nothing(site: Site, book: Book, monkeypatch: pytest.MonkeyPatch, lie: int) -> None:
    """When fewer or more rows come than were announced, what is missing may still be there: nothing is closed for it."""
    book.pull(site.connector(TOKEN))
    before = len(book.all(Enrolment, closed_at=None))

    def lying(answer: Any, arguments: Any) -> Any:
        if arguments["reportid"] == PARTICIPANTS.id and arguments["perpage"] > 1:
            answer["data"]["rows"] = answer["data"]["rows"][: len(answer["data"]["rows"]) // 2]
            answer["data"]["totalrowcount"] = len(answer["data"]["rows"]) + lie
        return answer

    change(monkeypatch, RETRIEVE, lying)
    for _ in range(3):
        book.later(days=1)
        book.pull(site.connector(TOKEN))
    assert len(book.all(Enrolment, closed_at=None)) == before
    assert len(book.one(StreamState, stream="enrolments").cursor) == 1  # the next pull reads everything again


def test_a_change_while_pages_are_read_closes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that move up when somebody is unenrolled between two pages are not seen: such a pass is not taken as whole."""
    monkeypatch.setattr("connectors.moodle.report_reading.ROWS_PER_CALL", 20)
    organisation = site.organisation
    asked: list[int] = []

    def changing(answer: Any, arguments: Any) -> Any:
        asked.append(arguments["page"])
        if arguments["page"] == 1:
            course = organisation.find_course("FIRE").id
            organisation.unenrol(next(iter(organisation.enrolments[course])), course)
        return answer

    change(monkeypatch, RETRIEVE, changing)
    pages = list(stream(site, "enrolments").pull(None))
    assert max(asked) > 1
    assert all(page.scope is None and not page.ends_pass for page in pages)
    assert pages[-1].cursor == (2,)


def test_a_row_that_cannot_be_used_is_set_aside_alone(site: Site, book: Book) -> None:
    """One row with a column too few waits in quarantine; the others are stored."""
    site.faults.add("bad_record", function=RETRIEVE, flaw="missing_key")
    book.pull(site.connector(TOKEN))
    assert [row.stream for row in book.waiting()] == ["enrolments"]
    assert "has not the 16 columns" in book.waiting()[0].reason
    assert len(book.all(Enrolment)) == len(expected_enrolments(site.organisation))


def test_a_single_impossible_date_refuses_its_row_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One date that no calendar has is that enrolment's own matter, and the reason names the field."""
    spoilt: list[str] = []

    def spoil(answer: Any, arguments: Any) -> Any:
        if arguments["reportid"] == PARTICIPANTS.id and arguments["perpage"] > 1 and not spoilt:
            row = next(row["columns"] for row in answer["data"]["rows"] if row["columns"][1])
            row[11] = "Wednesday, 32 June 2026, 25:61 PM"
            spoilt.append(row[1])
        return answer

    change(monkeypatch, RETRIEVE, spoil)
    found = stream(site, "enrolments")
    refused = []
    for raw in [raw for page in found.pull(None) for raw in page.raws]:
        try:
            found.parse(raw.value)
        except RecordRefusedError as error:
            refused.append(str(error))
    assert len(refused) == 1
    assert "'created'" in refused[0]


@pytest.mark.parametrize(
    ("token", "settings", "reason"),
    [
        (replace(REPORT, token="away", in_audience=False), {"reports": {"participants": 11}}, "not_in_audience"),
        (replace(REPORT, token="away", in_audience=False), {}, "not_configured"),
        (replace(REPORT, token="away", functions=REPORT.functions - {RETRIEVE}), {}, "missing_function"),
    ],
)
def test_why_a_report_is_not_read(tmp_path: Any, token: Token, settings: Any, reason: str) -> None:
    """A report that is not shown, not there or may not be asked for is said so, by stream."""
    with running_site(tmp_path, token) as site:
        choices = site.connector("away", **settings).choices()
    assert choices["enrolments"].lacking["report"] == reason
    assert choices["enrolments"].way != "report"


def test_a_report_is_found_by_its_id(site: Site) -> None:
    """An id in the settings counts before the agreed name; one of another shape is refused for its columns."""
    with pytest.raises(ReportDriftError, match="id 6"):
        list(stream(site, "enrolments", reports={"participants": 6}).pull(None))


def test_a_report_that_is_withdrawn_says_where_to_mend_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken out of the audience between listing and reading, the report names the tab."""
    found = stream(site, "enrolments")
    closed = replace(REPORT, in_audience=False)
    function = registry._functions[RETRIEVE]
    monkeypatch.setitem(
        registry._functions,
        RETRIEVE,
        replace(function, handler=lambda call, arguments: function.handler(replace(call, caller=closed), arguments)),
    )
    with pytest.raises(MoodleError, match="Audience"):
        list(found.pull(None))


def test_rows_are_read_with_entities_decoded(site: Site) -> None:
    """Names with characters that HTML writes otherwise come as they are."""
    user = next(iter(site.organisation.enrolments[2]))
    site.organisation.users[user].department = "R&D <Süd>"
    shown = {one.user_key: one for one in records(stream(site, "users"))}  # type: ignore[union-attr]
    assert shown[str(user)].department == "R&D <Süd>"  # type: ignore[union-attr]


def test_a_refused_row_is_kept_whole(site: Site) -> None:
    """What waits in quarantine is the row as it came, so that it can be judged."""
    site.faults.add("bad_record", function=RETRIEVE, flaw="missing_key")
    raws = [raw for page in stream(site, "enrolments").pull(None) for raw in page.raws if "row" in raw.value]
    assert len(raws) == 1
    assert len(raws[0].value["row"]) == 15
    assert json.dumps(raws[0].value)
