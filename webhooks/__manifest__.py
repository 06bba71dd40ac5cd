{
    "name": "Webhooks",
    "version": "0.1.0",
    "summary": "Endpoints, signed deliveries and the HR API",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Push",
    "depends": ["metrics"],
    "schedules": {"webhooks.deliver": {"task": "webhooks.deliver", "every": "PT2S"}},
    "wakes": {"events_appended": "webhooks.deliver"},
    "summaries": "webhooks.counts:summaries",
    "doctor": "webhooks.doctor:doctor",
    "encrypted": ["endpoint.secret"],
}
