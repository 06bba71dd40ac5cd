{
    "name": "Metrics",
    "version": "0.1.0",
    "summary": "Certifications, requirements, promotion eligibility and the figures of training",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Derive",
    "depends": ["connectors"],
    "schedules": {"metrics.derive": {"task": "metrics.derive", "every": "PT30S"}},
    "wakes": {"people_touched": "metrics.derive"},
    "sealed": {"award_change": ["before", "after"]},
    "summaries": "metrics.counts:summaries",
}
