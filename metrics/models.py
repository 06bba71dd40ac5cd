"""The tables of `metrics`; those of certifications stand in metrics/certification/models.py."""

from metrics.certification.models import (
    Award,
    AwardChange,
    CertificationRule,
    Holding,
    Promotion,
    Requirement,
)

__all__ = ["Award", "AwardChange", "CertificationRule", "Holding", "Promotion", "Requirement"]
