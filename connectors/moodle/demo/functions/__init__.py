"""The web service functions by area; importing this package fills the registry."""

from connectors.moodle.demo.functions import (
    badges,
    batch,
    cohorts,
    competencies,
    completion,
    courses,
    enrolments,
    feedback,
    grades,
    plans,
    plugin,
    quizzes,
    reports,
    site,
    users,
)

__all__ = [
    "badges",
    "batch",
    "cohorts",
    "competencies",
    "completion",
    "courses",
    "enrolments",
    "feedback",
    "grades",
    "plans",
    "plugin",
    "quizzes",
    "reports",
    "site",
    "users",
]
