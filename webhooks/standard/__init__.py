"""The kind of endpoint that most systems understand: Standard Webhooks over HTTPS."""
