{
    "name": "Standard Webhooks",
    "version": "0.1.0",
    "summary": "Sends events over HTTP as Standard Webhooks",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Push",
    "depends": ["webhooks"],
    "target": "webhooks.standard.target:StandardTarget",
}
