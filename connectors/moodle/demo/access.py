"""Who may call what: tokens, the functions of their service and the capabilities of their role."""

from dataclasses import dataclass, replace

READ_FUNCTIONS = frozenset(
    {
        "core_webservice_get_site_info",
        "core_user_get_users",
        "core_user_get_users_by_field",
        "core_course_get_courses",
        "core_course_get_courses_by_field",
        "core_course_get_categories",
        "core_enrol_get_enrolled_users",
        "core_enrol_get_users_courses",
        "core_completion_get_course_completion_status",
        "core_completion_get_activities_completion_status",
        "gradereport_user_get_grade_items",
        "gradereport_overview_get_course_grades",
        "mod_quiz_get_quizzes_by_courses",
        "mod_quiz_get_user_attempts",
        "core_competency_list_competency_frameworks",
        "core_competency_list_competencies",
        "core_competency_list_course_competencies",
        "core_competency_list_user_plans",
        "core_competency_list_plan_competencies",
        "tool_lp_data_for_user_competency_summary",
        "core_badges_get_user_badges",
        "core_cohort_get_cohorts",
        "core_cohort_get_cohort_members",
        "mod_feedback_get_feedbacks_by_courses",
        "mod_feedback_get_items",
        "mod_feedback_get_analysis",
        "mod_feedback_get_responses_analysis",
        "mod_feedback_get_non_respondents",
        "tool_mobile_call_external_functions",
    }
)
REPORT_FUNCTIONS = frozenset(
    {
        "core_webservice_get_site_info",
        "core_reportbuilder_list_reports",
        "core_reportbuilder_retrieve_report",
        "core_reportbuilder_set_filters",
    }
)
PLUGIN_STREAMS = (
    "users", "categories", "courses", "enrolments", "completions", "activity_completions", "grade_items", "grades",
    "attempts", "cohorts", "cohort_members", "badges", "competencies", "competency_ratings", "plans", "feedbacks",
    "feedback_answers",
)  # fmt: skip
PLUGIN_FUNCTIONS = frozenset(
    {"core_webservice_get_site_info"}
    | {f"local_certbridge_get_{name}" for name in ("info", "changes", *PLUGIN_STREAMS)}
)
REST = "webservice/rest:use"
CONNECTOR_CAPABILITIES = frozenset(
    {
        REST,
        "moodle/course:view",
        "moodle/course:viewhiddencourses",
        "moodle/user:viewdetails",
        "moodle/user:viewalldetails",
        "moodle/site:viewuseridentity",
        "moodle/site:viewfullnames",
        "moodle/course:enrolreview",
        "report/completion:view",
        "report/progress:view",
        "moodle/grade:viewall",
        "gradereport/user:view",
        "moodle/competency:planview",
        "moodle/cohort:view",
        "mod/feedback:view",
        "mod/feedback:viewreports",
        "mod/quiz:view",
        "mod/quiz:viewreports",
    }
)


@dataclass(frozen=True)
class Token:
    """One access token: its text, its user, what its service holds and what its role allows."""

    token: str
    username: str
    userid: int
    functions: frozenset[str]
    capabilities: frozenset[str]
    in_audience: bool = False
    admin: bool = False

    def without(self, token: str, *capabilities: str) -> "Token":
        """Return the same caller under another token, lacking some capabilities."""
        return replace(self, token=token, capabilities=self.capabilities - set(capabilities))


CONNECTOR = Token("sandbox-connector", "wsconnector", 900_001, READ_FUNCTIONS, CONNECTOR_CAPABILITIES)
PASS_MARKS = replace(
    CONNECTOR,
    token="sandbox-passmarks",
    functions=READ_FUNCTIONS | {"mod_quiz_get_user_best_grade"},
)
REPORT = Token("sandbox-report", "wsreport", 900_002, REPORT_FUNCTIONS, frozenset({REST}), in_audience=True)
PLUGIN = Token("sandbox-plugin", "wsplugin", 900_003, PLUGIN_FUNCTIONS, frozenset({REST, "local/certbridge:read"}))
ADMIN = Token(
    "sandbox-admin",
    "admin",
    2,
    READ_FUNCTIONS | REPORT_FUNCTIONS | {"mod_quiz_get_user_best_grade"},
    CONNECTOR_CAPABILITIES | {"moodle/course:update"},
    in_audience=True,
    admin=True,
)

DEFAULT_TOKENS = (
    CONNECTOR,
    PASS_MARKS,
    REPORT,
    PLUGIN,
    ADMIN,
    replace(CONNECTOR, token="sandbox-nocaps", capabilities=frozenset()),
    CONNECTOR.without("sandbox-noidentity", "moodle/site:viewuseridentity", "moodle/user:viewalldetails"),
    CONNECTOR.without("sandbox-noquiz", "mod/quiz:view"),
    CONNECTOR.without("sandbox-nohidden", "moodle/course:viewhiddencourses"),
)
