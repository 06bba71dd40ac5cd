{
    "name": "Connectors",
    "version": "0.1.0",
    "summary": "What every connector shares: streams, cursors, identities, quarantine, evidence",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Pull",
    "depends": ["plugin"],
    "on_start": "connectors.sources:ensure_schedules",
    "summaries": "connectors.counts:summaries",
    "doctor": "connectors.doctor:doctor",
}
