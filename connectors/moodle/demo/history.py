"""Generates three years of learning: who was enrolled, what they finished, how they were marked."""

from random import Random

from connectors.moodle.demo.records import PRACTICAL_MAXIMUM, Course, Enrolment, Learning

DAY = 86400
YEARS = 3


def enrolment(rng: Random, now: int) -> Enrolment:
    """Generate one enrolment: most are open-ended, some are suspended, expired or end in the future."""
    created = now - rng.randrange(2 * DAY, YEARS * 365 * DAY)
    made = Enrolment("manual" if rng.random() < 0.85 else "self", created, created)
    chance = rng.random()
    if chance < 0.02:
        made.suspended = True
    elif chance < 0.05 and now - created > 100 * DAY:
        made.end = created + 90 * DAY
    elif chance < 0.15:
        made.end = now + rng.randrange(30, 365) * DAY
    return made


def learning(rng: Random, course: Course, enrolled: Enrolment, now: int) -> Learning:
    """Generate what an enrolled user did: nothing, a look, or the page and the quiz, passed or failed."""
    made = Learning()
    chance = rng.random()
    if chance < 0.08:
        return made
    made.last_access = _after(rng, enrolled.created, 20 * DAY, now)
    if chance < 0.20:
        return made
    made.page_at = _after(rng, made.last_access, 2 * DAY, now)
    if chance < 0.30:
        return made
    at = _after(rng, made.page_at, 60 * DAY, now)
    made.last_access = at
    mark_quiz(made, course, _quiz_mark(rng, course), at)
    if rng.random() < 0.6:
        made.practical = float(rng.randrange(15, PRACTICAL_MAXIMUM + 1))
        made.practical_at = _after(rng, at, 5 * DAY, now)
    return made


def mark_quiz(made: Learning, course: Course, mark: float, at: int) -> None:
    """Record a quiz mark and, if it is enough, that the quiz's criterion is met."""
    made.quiz, made.quiz_at = mark, at
    if mark >= course.pass_mark and made.quiz_done_at is None:
        made.quiz_done_at = at


def _quiz_mark(rng: Random, course: Course) -> float:
    threshold = course.pass_mark or course.quiz_maximum // 2
    if rng.random() < 0.12:
        return float(rng.randrange(course.quiz_maximum // 10, threshold))
    mark = rng.randrange(threshold, course.quiz_maximum + 1)
    return mark + 0.5 if mark < course.quiz_maximum and rng.random() < 0.1 else float(mark)


def _after(rng: Random, moment: int, at_most: int, now: int) -> int:
    return min(moment + rng.randrange(600, at_most), now - 60)
