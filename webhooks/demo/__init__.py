"""The sandbox HR system: a small product of its own that receives CertBridge's webhooks and proposes promotions.

It is a process of its own with a database of its own, as an HR system would be, and shares nothing with CertBridge
but the signing secret and an API token. `records` keeps what it was told, `receiving` verifies and files a message,
`proposing` calls CertBridge's API, `faults` makes it fail on request, `app` puts them behind HTTP. It listens on
loopback only and knows nobody real.
"""
