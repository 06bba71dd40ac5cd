{
    "name": "Moodle",
    "version": "0.1.0",
    "summary": "Users, courses, enrolments, completions and grades of a Moodle site",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Pull",
    "depends": ["connectors"],
    "connector": "connectors.moodle.connector:MoodleConnector",
}
