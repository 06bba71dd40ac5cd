"""The audit trail: acts of people, and the other histories that are sealed with them.

    acts            writing down what a person did
    tables          which tables are sealed: the manifests' key `sealed`
    digests         what a digest and a hash are over
    keys            the signatures of heads and checkpoints, with keys derived from the key file
    chains          the chain of one table: its head, its salts
    sealer          sealing what waits, in batches
    erasure         forgetting a person
    retention       deleting what is old, with a signed checkpoint
    rekeying        signing anew when the key has been changed
    acceptance      going on from a chain that is broken
    verification    finding what was changed, taken away or put in
    reading         reading rows that somebody may have broken
    listing         the acts, for a person to read

docs/audit.md says what the seals can show and what they cannot.
"""

from plugin.audit.acceptance import accept_chains
from plugin.audit.acts import record_act
from plugin.audit.erasure import forget_person, forget_rows
from plugin.audit.keys import SealingKeys
from plugin.audit.rekeying import rekey
from plugin.audit.retention import prune
from plugin.audit.sealer import seal_waiting
from plugin.audit.tables import SealedTable, sealed_tables
from plugin.audit.verification import Finding, Report, verify

__all__ = [
    "Finding",
    "Report",
    "SealedTable",
    "SealingKeys",
    "accept_chains",
    "forget_person",
    "forget_rows",
    "prune",
    "record_act",
    "rekey",
    "seal_waiting",
    "sealed_tables",
    "verify",
]
