"""Moodle: users, courses, enrolments, completions and grades through its REST web services."""
