"""What the plain functions of a Moodle site can read with this token."""

from connectors.moodle.client import MoodleClient
from connectors.moodle.functions_activities import ActivityCompletions, Attempts
from connectors.moodle.functions_competencies import Competencies
from connectors.moodle.functions_completions import Completions
from connectors.moodle.functions_courses import Categories, Courses
from connectors.moodle.functions_enrolments import Enrolments
from connectors.moodle.functions_people import Badges, Cohorts, Plans
from connectors.moodle.functions_reading import Accounts
from connectors.moodle.functions_results import Results
from connectors.moodle.functions_surveys import Surveys
from connectors.moodle.functions_users import Users
from connectors.moodle.report_reading import RETRIEVE
from connectors.moodle.settings import MoodleSettings
from connectors.moodle.ways import FUNCTIONS, Offer
from connectors.streams import Stream

# What each stream needs to be read at all.
NEEDS: dict[str, tuple[str, ...]] = {
    "users": (Accounts.function,),
    "courses": ("core_course_get_courses",),
    "enrolments": (Enrolments.function,),
    "completions": (Completions.function,),
    "results": (Results.function,),
    "categories": (Categories.function,),
    "cohorts": (Cohorts.function, Cohorts.members),
    "surveys": (Surveys.function, Surveys.items, Surveys.responses),
    "activity_completions": (ActivityCompletions.function,),
    "attempts": (Attempts.function, Attempts.quizzes),
    "badges": (Badges.function,),
    "competencies": (Competencies.function, Competencies.frameworks, Competencies.competencies),
    "plans": (Plans.function,),
}
CENTRAL = frozenset({"users", "courses", "enrolments", "completions", "results"})
HEAVY = frozenset({"activity_completions", "attempts", "badges", "competencies", "plans"})
HIDDEN = {
    "users": ("deleted_users",),
    "enrolments": ("enrolment_dates", "enrolment_methods"),
    "completions": ("completion_times", "inactive_enrolments", "unenrolled"),
    "results": ("inactive_enrolments", "unenrolled"),
    "activity_completions": ("inactive_enrolments", "unenrolled"),
    "attempts": ("inactive_enrolments", "unenrolled"),
    "cohorts": ("cohort_times",),
}


def offer(client: MoodleClient, settings: MoodleSettings) -> Offer:
    """The streams; those that need a call for each account only where the settings name them. Raises MoodleError.

    The streams that most is derived from are offered even without their functions, and fail with what is to be done: but
    not to a token that is there for reports.
    """
    accounts = Accounts(client)
    wanted: list[Stream] = [
        Users(client, accounts),
        Courses(client),
        Enrolments(client),
        Completions(client),
        Results(client, settings.pass_marks),
        Categories(client),
        Cohorts(client),
        Surveys(client),
        ActivityCompletions(client),
        Attempts(client),
        Badges(client, accounts),
        Competencies(client, accounts),
        Plans(client, accounts),
    ]
    streams: list[Stream] = []
    lacking = {}
    functions = client.site.functions
    for stream in wanted:
        if stream.name in HEAVY and stream.name not in settings.streams:
            lacking[stream.name] = "switched_off"
        elif functions.issuperset(NEEDS[stream.name]) or (stream.name in CENTRAL and RETRIEVE not in functions):
            streams.append(stream)
        else:
            lacking[stream.name] = "missing_function"
    return Offer(FUNCTIONS, streams, lacking, HIDDEN)
