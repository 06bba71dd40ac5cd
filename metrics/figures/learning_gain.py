"""Learning gain (level 2): how much better people are in a course's post-test than in its pre-test."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from sqlalchemy import and_, or_, select

from connectors.models import Course, Evidence
from metrics.figures import changes
from metrics.figures.figure import Member, Number
from metrics.figures.measured import Answer, Measured
from metrics.figures.participation import counting_at
from metrics.figures.scope import Scope, course_label
from metrics.figures.statistics import mean, mean_with_interval
from metrics.figures.words import Words
from metrics.inputs.models import CourseDetail, known_at
from plugin.models import Person

HUNDRED = Decimal(100)
Tries = list[tuple[datetime, int, Decimal]]


def _pairs(scope: Scope) -> tuple[dict[tuple[str, int], tuple[Decimal, Decimal]], int, dict[int, Member]]:
    """The shares before and after by course and person, how many have no test before, and who they are."""
    people, label = scope.people, course_label(Course.source, Course.object)
    named = and_(CourseDetail.pre_test.is_not(None), CourseDetail.post_test.is_not(None))
    query = (
        select(
            label, people.c.person_id, Person.employee_number, Person.name, Evidence.object == CourseDetail.post_test,
            Evidence.achieved_at, Evidence.id, Evidence.percent,
        )
        .select_from(people)
        .join(Person, Person.id == people.c.person_id)
        .join(Evidence, Evidence.person_id == people.c.person_id)
        .join(Course, and_(Course.source == Evidence.source, Course.object == Evidence.course))
        .join(CourseDetail, and_(CourseDetail.course == label, known_at(CourseDetail, scope.as_of), named))
        .where(
            Evidence.kind == "score",
            Evidence.percent.is_not(None),
            or_(Evidence.object == CourseDetail.pre_test, Evidence.object == CourseDetail.post_test),
            Evidence.achieved_at < people.c.end_at,
            Evidence.achieved_at <= scope.as_of,
            counting_at(scope.as_of),
            *scope.of_course(Evidence.source, Evidence.course),
        )
    )  # fmt: skip
    before: dict[tuple[str, int], Tries] = defaultdict(list)
    after: dict[tuple[str, int], Tries] = defaultdict(list)
    members: dict[int, Member] = {}
    for course, person, number, name, is_post, at, evidence, percent in scope.session.execute(query):
        (after if is_post else before)[course, person].append((at, evidence, percent / HUNDRED))
        members[person] = Member(number, name)
    found, alone = {}, 0
    for pair, tries in after.items():
        mine = [one for one in tries if one[0] >= scope.question.period.start]
        if not mine:
            continue
        post = _chosen(mine, scope.question.attempt)
        earlier = [one for one in before.get(pair, ()) if one[0] <= post[0]]
        if earlier:
            found[pair] = (min(earlier)[2], post[2])
        else:
            alone += 1
    return found, alone, members


def _chosen(tries: Tries, attempt: str) -> tuple[datetime, int, Decimal]:
    if attempt == "best":
        return max(tries, key=lambda one: one[2])
    return max(tries) if attempt == "last" else min(tries)


def _answer(scope: Scope) -> Answer:
    found, alone, _ = _pairs(scope)
    gains = [post - pre for pre, post in found.values()]
    exclusions = {"no_pre_test": alone, **changes.few(gains)}
    total = sum(gains, Decimal(0))
    if len(gains) < 2:
        return Answer(
            total, len(gains), None, changes.TOO_FEW if gains else None, exclusions, beside={"pairs": len(gains)}
        )
    pre, post = (mean([pair[place] for pair in found.values()]) for place in (0, 1))
    beside: dict[str, Number] = {**changes.beside(gains), "mean_pre": pre, "mean_post": post}
    if pre < 1:
        beside["normalised_gain"] = (post - pre) / (1 - pre)
    return Answer(total, len(gains), mean_with_interval(gains).value, None, exclusions, beside=beside)


def _members(scope: Scope, side: str) -> list[Member]:
    """Denominator: who has a pair; numerator: who gained; gap: who did not."""
    found, _, members = _pairs(scope)
    return [
        Member(members[person].employee_number, members[person].name, course)
        for (course, person), (pre, post) in found.items()
        if side == "denominator" or (post > pre) == (side == "numerator")
    ]


FIGURE = Measured(
    name="learning_gain",
    title=Words("Learning gain", "学习增益"),
    definition=Words(
        "The mean gain from a course's pre-test to its post-test, in shares of the full score, over the people who took "
        "both: of the post-test the best attempt in the period (on request the last, or the first), of the pre-test "
        "the first attempt, not after it. Beside it the 95 % interval, the means, and the normalised gain: (mean after "
        "- mean before) / (1 - mean before). Only courses whose two tests are named (inputs: courses). Who took no "
        "pre-test is left out and counted.",
        "前测与后测均参加者的平均增益（以满分为 1）：后测取期间内最好的一次（也可取最后一次或第一次），前测取不晚于后测的第一次。"
        "并列 95% 置信区间、前后平均分，以及标准化增益：（后测平均－前测平均）／（1－前测平均）。仅限已指定前测与后测的课程"
        "（inputs: courses）。未参加前测者不计入，另行计数。",
    ),
    nothing=Words("Nobody took both a pre-test and a post-test.", "没有前测与后测均参加的人员。"),
    streams=("employees", "results"),
    answer=_answer,
    members=_members,
    breakdowns=("course", "category", "programme", "lecturer", "department", "position", "grade", "month"),
    unit="change",
    counts={
        **changes.WORDS,
        "no_pre_test": Words("took the post-test and no pre-test", "仅参加后测"),
        "mean_pre": Words("mean before", "前测平均"),
        "mean_post": Words("mean after", "后测平均"),
        "normalised_gain": Words("normalised gain", "标准化增益"),
    },
)
