"""Certifications: rules, what satisfies them, awards in time, requirements, promotion eligibility, explanations."""
