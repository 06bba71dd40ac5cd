{
    "name": "CertBridge kernel",
    "version": "0.1.0",
    "summary": "Settings, store, people and organisation, events, sign-in, the certbridge command",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Kernel",
    "depends": [],
    "summaries": "plugin.counts:summaries",
    "auto_install": True,
}
