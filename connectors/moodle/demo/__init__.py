"""The sandbox Moodle: a generated organisation behind the real REST protocol, for the demonstration and CI.

`organisation` makes the people and their learning, `roster` writes what HR knows of them, `server` answers
like a Moodle site, `faults` makes it fail on request. It listens on loopback only and knows nobody real.
"""
