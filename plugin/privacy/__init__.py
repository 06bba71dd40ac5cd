"""Privacy: what is held about a person, handing it out, erasing it, and keeping nothing longer than is said.

    declarations    what the manifests say under `privacy`: each table with personal data, how it is found, what erasing does
    subject         one person and by what their rows are known: number, addresses, logins, accounts of sources
    words           finding those in free text
    finding         the rows of a table that are about one person
    exporting       everything held about a person, as JSON or as a ZIP of CSV files
    erasing         what will be deleted, blanked and kept, and doing it
    trail           what of the audit trail goes, and what stays
    mails           mails to and about somebody who is erased
    refusals        what cannot be done, in sentences that the pages translate
    proposals       proposing an erasure, and declining it
    retention       what is older than its kind is kept is deleted
    leavers         people who left so long ago that they are erased
    old_acts        old acts of the audit trail
    inventory       the table of docs/privacy.md
    tasks           what the scheduler starts

docs/privacy.md is for whoever is asked about it.
"""
