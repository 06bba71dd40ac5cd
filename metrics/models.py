"""The tables of `metrics`; those of certifications stand in metrics/certification/models.py."""

from metrics.certification.assessment_models import Assessment, CertificateFile
from metrics.certification.models import (
    Award,
    AwardChange,
    CertificationRule,
    Holding,
    Promotion,
    Requirement,
)
from metrics.reminder_models import Reminder, ReminderMark, TeamDigest

__all__ = [
    "Assessment",
    "Award",
    "AwardChange",
    "CertificateFile",
    "CertificationRule",
    "Holding",
    "Promotion",
    "Reminder",
    "ReminderMark",
    "Requirement",
    "TeamDigest",
]
