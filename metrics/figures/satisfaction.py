"""Learner satisfaction: the mean of the means of its dimensions."""

from decimal import Decimal

from sqlalchemy import func, select

from connectors.models import Course
from metrics.figures.measured import Answer, Measured
from metrics.figures.participation import pairs
from metrics.figures.scope import Scope, flag
from metrics.figures.survey_counts import Scores
from metrics.figures.survey_scores import scores
from metrics.figures.words import Words

FEWEST = 5
HIGH = Decimal("0.75")
SUPPRESSED = Words(
    "Fewer than 5 answered, some of them anonymously: not shown.", "答卷不足 5 份且含匿名答卷，不予显示。"
)


def _answer(scope: Scope) -> Answer:
    found = scores(scope)
    notes = {
        "no_date": found.undated,
        "dated_by_course": found.dated_by_course,
        "unscaled": found.unscaled,
        "anonymous": found.unplaced,
    }
    if found.has_anonymous and found.respondents < FEWEST:
        return Answer(reason=SUPPRESSED, not_visible={**notes, "suppressed": 1})
    few = {each for each, sheets in found.sheets.items() if each in found.anonymous and sheets < FEWEST}
    shown = {key: count for key, count in found.counts.items() if key[0] not in few}
    means = {dimension: _mean(shown, dimension) for dimension in scope.question.dimensions if dimension in found.sheets}
    parts = {dimension: each for dimension, each in means.items() if each is not None}
    total = sum(parts.values(), Decimal(0))
    answers = sum(shown.values())
    high = sum(count for (_, score), count in shown.items() if score >= HIGH)
    participants = _participants(scope, found)
    beside: dict[str, int | Decimal] = {"respondents": found.respondents, "participants": participants}
    if participants:
        beside["response_rate"] = Decimal(found.respondents) / participants
    if answers:
        beside["high_share"] = Decimal(high) / answers
    return Answer(
        numerator=total,
        denominator=len(parts),
        value=scope.share(total, len(parts)),
        reason=SUPPRESSED if few and not parts else None,
        not_visible={**notes, "suppressed": len(few)},
        beside={**beside, "answers": answers, "answers_high": high},
        parts=parts,
    )


def _mean(counts: dict[tuple[str, Decimal], int], dimension: str) -> Decimal | None:
    theirs = [(score, count) for (each, score), count in counts.items() if each == dimension]
    answers = sum(count for _, count in theirs)
    return sum((score * count for score, count in theirs), Decimal(0)) / answers if answers else None


def _participants(scope: Scope, found: Scores) -> int:
    """Who took part in the courses that were answered about: people by courses."""
    if not found.courses or not scope.periods:
        return 0
    pair = pairs(scope)
    asked = scope.rows((("source", Course.source.type), ("course_key", Course.course_key.type)), sorted(found.courses))
    took_part = (pair.c.completed == 1) | ((pair.c.active == 1) & ((pair.c.accessed == 1) | (pair.c.worked == 1)))
    query = (
        select(func.sum(flag(took_part)))
        .select_from(pair)
        .join(asked, (asked.c.source == pair.c.source) & (asked.c.course_key == pair.c.course_key))
    )
    return int(scope.session.scalar(query) or 0)


FIGURE = Measured(
    name="satisfaction",
    title=Words("Learner satisfaction", "学员满意度"),
    definition=Words(
        "The mean of the dimension means, from 0 to 1, of the answers given in the period: content, lecturer, "
        "organisation and learning gain, or as configured. Each answer is scaled by its question: the poorest option "
        "is 0, the best 1. Beside it respondents, participants of the courses that were answered about, response rate, "
        "and the share of answers at 0.75 or above. Groups of fewer than 5 with anonymous answers among them are not "
        "shown. An anonymous answer without a time is dated by its course's end and counted as such.",
        "期间内各维度（内容、讲师、组织、学习收获，或按配置）平均分的平均值，取值 0 至 1。每个答案按题目选项折算：最差为 0，最好为 1。"
        "并列答卷数、所评课程的参训人次、回收率，以及得分不低于 0.75 的答案占比。含匿名答卷且不足 5 份的组不予显示。"
        "没有时间的匿名答卷以课程结束时间为准，并另行计数。",
    ),
    nothing=Words("Nobody answered a question about satisfaction.", "没有满意度答卷。"),
    streams=("surveys",),
    answer=_answer,
    members=None,
    breakdowns=("course", "category", "programme", "lecturer", "department", "position", "grade", "month"),
    unit="share",
    counts={
        "content": Words("content", "内容"),
        "lecturer": Words("lecturer", "讲师"),
        "organisation": Words("organisation", "组织"),
        "learning_gain": Words("learning gain", "学习收获"),
        "respondents": Words("sheets of answers", "答卷数"),
        "participants": Words("participants (people by courses)", "参训人次"),
        "response_rate": Words("response rate", "回收率"),
        "high_share": Words("share of answers at 0.75 or above", "得分不低于 0.75 的答案占比"),
        "answers": Words("answers", "答案数"),
        "answers_high": Words("answers at 0.75 or above", "得分不低于 0.75 的答案数"),
        "no_date": Words(
            "sheets without a date, of courses without an end; left out", "无日期且课程无结束时间的答卷，不计入"
        ),
        "dated_by_course": Words("sheets dated by the course's end", "以课程结束时间为准的答卷"),
        "unscaled": Words("answers that are no single choice; left out", "非单选答案，不计入"),
        "anonymous": Words("anonymous sheets, which are of no department; left out", "匿名答卷，无法归入部门，不计入"),
        "suppressed": Words("groups of fewer than 5 that are not shown", "不足 5 份、不予显示的组"),
    },
)
