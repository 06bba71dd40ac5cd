"""Derive: certifications, requirements, promotion eligibility, and the figures of training."""
