{
    "name": "File drops",
    "version": "0.1.0",
    "summary": "Drops events as CSV or JSON files into a folder",
    "author": "The CertBridge developers",
    "license": "Apache-2.0",
    "category": "Push",
    "depends": ["webhooks"],
    "target": "webhooks.file.target:FileTarget",
}
