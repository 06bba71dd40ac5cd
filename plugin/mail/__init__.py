"""Mail: what is to be told to people stands in the store first, and is sent at most once.

`queue.py` records a mail in the caller's transaction, `sending.py` sends what is due, `rendering.py` makes text and
HTML from an addon's `templates/mail/NAME.html`. docs/mail.md says how to use it and what each state means.
"""
